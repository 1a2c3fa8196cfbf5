//! Exchanges that a thread settles together.

use shim_gateway::{Together, settle_what_waits};
use tokio::runtime::Builder;

use crate::clients::good;
use crate::lab::{CONFIG, Lab, post, read};
use crate::tongues::{self, Tongue};

const ASKED: u64 = 40;

/// How many of the exchanges of a thread were settled when all were answered and it had nothing left to do, and when it
/// ended.
fn settled(tongue: &Tongue, builder: &mut Builder) -> (u64, u64) {
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    let together = Together::new();
    let lab = runtime.block_on(async {
        let lab = Lab::new(CONFIG, good);
        for _ in 0..ASKED {
            let (path, body) = tongue.whole;
            assert_eq!(lab.told(path, body).await.0, 200);
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        lab
    });
    let before = lab.counts()["delivered"];
    drop(together);
    let counts = lab.counts();
    assert_eq!((counts["admitted"], counts["in_flight"]), (ASKED, 0), "{}", tongue.whole.0);
    (before, counts["delivered"])
}

/// None is left when the thread sleeps, nor when it ends; and where it does not see to them before it sleeps, no more wait
/// than may.
#[test]
fn what_is_settled_together_is_settled_before_the_thread_sleeps() {
    for tongue in tongues::ALL {
        let seen_to = settled(tongue, Builder::new_current_thread().on_thread_park(settle_what_waits));
        assert_eq!(seen_to, (ASKED, ASKED), "{}", tongue.whole.0);
        let left = settled(tongue, &mut Builder::new_current_thread());
        assert_eq!(left, (ASKED / 16 * 16, ASKED), "{}", tongue.whole.0);
    }
}

/// What is reserved for an answer is given back before its client can ask again, also where a thread settles together.
#[test]
fn who_is_limited_is_settled_before_its_answer_ends() {
    let limited =
        format!("{CONFIG}\n[keys.app]\nsecret = {{ env = \"APP_KEY\" }}\nlimits = {{ concurrent = 1 }}\n");
    for tongue in tongues::ALL {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let _together = Together::new();
        runtime.block_on(async {
            let lab = Lab::new(&limited, good);
            for _ in 0..ASKED {
                let (path, body) = tongue.whole;
                let mut request = post(path, body);
                request.headers_mut().insert("authorization", "Bearer app-secret".parse().unwrap());
                let (status, told) = read(lab.send(request).await).await;
                assert_eq!(status, 200, "{}: {told}", tongue.name);
            }
        });
    }
}
