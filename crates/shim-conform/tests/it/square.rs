//! Configurations that hold.

use shim_conform::{ConformError, Report, Scripts, Tried, Verdict, Wish, matrix, prove};
use shim_ir::Dialect;

use crate::{config, square};

async fn proved(config: shim_config::Config) -> Report {
    let report = prove(config, &Wish::default(), &Scripts::shipped()).await.unwrap();
    assert!(report.holds(), "{}", matrix(&report));
    report
}

fn verdict(tried: &Tried, case: &str, client: Dialect) -> Verdict {
    let at = tried.dialects.iter().position(|(own, _)| *own == client).unwrap();
    tried.rows.iter().find(|row| row.case == case).unwrap().cells[at].verdict
}

#[tokio::test]
async fn every_dialect_holds_over_every_other() {
    let report = proved(square()).await;
    assert_eq!((report.tried.len(), report.passed_over.len()), (4, 0));
    for tried in &report.tried {
        for row in &tried.rows {
            for (cell, (client, upstream)) in row.cells.iter().zip(&tried.dialects) {
                let place = format!("{} from {client} to {upstream}", row.case);
                let explained = !cell.losses.is_empty() || !cell.reasons.is_empty();
                assert_eq!(cell.verdict == Verdict::Ok, !explained, "{place}");
                assert!(client != upstream || cell.verdict <= Verdict::Ok, "{place}: {cell:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_aliass_rules_are_in_force_and_its_fallbacks_stand_in() {
    let text = "[providers.one]\ndialect = \"anthropic\"\nbase_url = \"https://one.test\"\n\
                [providers.two]\ndialect = \"openai-chat\"\nbase_url = \"https://two.test/v1\"\nkey = { file = \"schlüssel\" }\n\
                [keys.app]\nsecret = { env = \"APP\" }\nallow = [\"other\"]\n\
                [aliases.chat]\ntarget = \"one/a\"\nfallback = [\"two/b\", \"two/c\"]\nfidelity = \"strict\"\n";
    let report = proved(config(text)).await;
    let targets: Vec<_> = report.tried.iter().map(|tried| tried.target.as_str()).collect();
    assert_eq!(targets, ["one/a", "two/b", "two/c"]);
    assert_eq!(verdict(&report.tried[0], "structured", Dialect::OpenaiChat), Verdict::Refused);
    assert_eq!(verdict(&report.tried[1], "reasoning", Dialect::Anthropic), Verdict::Refused);
    assert_eq!(verdict(&report.tried[2], "fallback", Dialect::OpenaiChat), Verdict::Ok);
    assert!(report.tried[0].rows.iter().all(|row| row.case != "fallback"));
}

#[tokio::test]
async fn a_provider_with_every_dialect_is_asked_in_the_clients() {
    let text = "[providers.lab]\ndialect = \"openai-chat\"\nbase_url = \"http://lab.test/v1\"\nkey = { env = \"K\" }\n\
                dialects.anthropic.base_url = \"http://lab.test\"\ndialects.gemini.base_url = \"http://lab.test\"\n\
                dialects.openai-responses.base_url = \"http://lab.test/v1\"\n";
    let report = proved(config(text)).await;
    assert_eq!(report.tried[0].target, "lab/any-model");
    assert!(report.tried[0].dialects.iter().all(|(client, upstream)| client == upstream));
    assert_eq!(report.count(Verdict::Mapped) + report.count(Verdict::Refused), 0);
}

#[tokio::test]
async fn what_the_catalogue_knows_of_a_provider_holds() {
    let ids = shim_catalog::providers().iter().map(|provider| format!("[providers.{}]\n", provider.id));
    let cases = [
        "system",
        "stop",
        "turns",
        "tool_required",
        "tool_result",
        "reasoning",
        "structured",
        "image",
        "document",
    ]
    .map(str::to_owned)
    .to_vec();
    let wish = Wish { cases, ..Wish::default() };
    let report = prove(config(&ids.collect::<String>()), &wish, &Scripts::shipped()).await.unwrap();
    assert!(report.holds(), "{}", matrix(&report));
    assert_eq!(report.tried.len(), shim_catalog::providers().len());
}

#[tokio::test]
async fn what_cannot_be_tried_is_said() {
    let demo = config("[aliases.chat]\ntarget = \"demo/hello\"\n");
    let report = proved(demo).await;
    assert_eq!(report.passed_over.len(), 1);
    let wish = Wish { targets: vec!["nobody".to_owned()], ..Wish::default() };
    let told = prove(square(), &wish, &Scripts::shipped()).await;
    assert!(
        matches!(told, Err(ConformError::Nothing(why)) if why.contains("nobody") && why.contains("a-chat"))
    );
}

#[tokio::test]
async fn only_what_is_wished_for_is_tried() {
    let wish =
        Wish { targets: vec!["chat-lab".to_owned()], dialects: vec![Dialect::Gemini], ..Wish::default() };
    let report = prove(square(), &wish, &Scripts::shipped()).await.unwrap();
    assert_eq!(
        (report.tried.len(), report.tried[0].dialects.as_slice()),
        (1, &[(Dialect::Gemini, Dialect::OpenaiChat)][..])
    );
    let json = report.to_json();
    assert_eq!(json["holds"], true);
    assert_eq!(json["targets"][0]["cases"][0]["cells"][0]["client"], "gemini");
}
