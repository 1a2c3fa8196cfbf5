//! The two ways of writing a vector.

use shim_ir::{Vector, VectorForm};
use shim_wire::{JsonWriter, RawJson};

use crate::base64;

/// Writes the numbers as the member `key`, in the form that is wanted, if any is; false where they cannot be had in it and
/// stay as they came.
pub(crate) fn write(w: &mut JsonWriter<'_>, key: &str, vector: &Vector, form: Option<VectorForm>) -> bool {
    match (vector, form) {
        (Vector::Floats(list), None | Some(VectorForm::Floats)) => w.raw(key, list),
        (Vector::Base64(text), None | Some(VectorForm::Base64)) => w.string(key, text),
        (Vector::Floats(list), Some(VectorForm::Base64)) => match packed(list) {
            Some(text) => w.string(key, &text),
            None => {
                w.raw(key, list);
                return false;
            }
        },
        (Vector::Base64(text), Some(VectorForm::Floats)) => match unpacked(text) {
            Some(list) => w.raw(key, &list),
            None => {
                w.string(key, text);
                return false;
            }
        },
    }
    true
}

/// A list of numbers as little-endian 32-bit floats in base64.
fn packed(list: &RawJson) -> Option<String> {
    let numbers: Vec<f32> = serde_json::from_str(list.get()).ok()?;
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    Some(base64::encode(&bytes))
}

/// The numbers as a list, each in the shortest form that is the same 32-bit float.
fn unpacked(text: &str) -> Option<RawJson> {
    let bytes = base64::decode(text)?;
    let (quads, rest) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect();
    let sound = rest.is_empty() && numbers.iter().all(|number| number.is_finite());
    let list = numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
    RawJson::parse(&format!("[{list}]")).ok().filter(|_| sound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_wire::RawJson;

    use super::{packed, unpacked};

    #[test]
    fn numbers_are_the_same_in_both_forms() {
        let list = RawJson::parse("[0.5,-0.25,0.125]").unwrap();
        assert_eq!(packed(&list).as_deref(), Some("AAAAPwAAgL4AAAA+"));
        assert_eq!(unpacked("AAAAPwAAgL4AAAA+"), Some(list));
        for bad in ["AAAA", "!", "AACAfw=="] {
            assert_eq!(unpacked(bad), None, "{bad}");
        }
        assert_eq!(packed(&RawJson::parse(r#"["a"]"#).unwrap()), None);
    }

    proptest! {
        #[test]
        fn any_vector_survives(numbers in proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::ZERO, 0..20)) {
            let list = RawJson::parse(&serde_json::to_string(&numbers).unwrap()).unwrap();
            let back = unpacked(&packed(&list).unwrap()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<f32>>(back.get()).unwrap(), numbers);
        }
    }
}
