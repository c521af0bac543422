//! The generator against a real server: what it asks is answered, and what it made is gone.
//!
//! No figure is asserted: how fast a machine is, is no property of the code.

mod built;

use std::path::Path;

use ringkeeper_bench::compare::Ensemble;
use ringkeeper_bench::load::{self, LoadOptions, Mix};

fn options(ensemble: &Ensemble, mix: Mix) -> LoadOptions {
    LoadOptions {
        servers: ensemble.clients(),
        mix,
        connections: 4,
        outstanding: 10,
        bytes: 100,
        seconds: 1,
        warmup: 0,
        rate: None,
        threads: 1,
        io: None,
    }
}

#[test]
fn load_is_answered_without_a_refusal_and_leaves_nothing_behind() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ensemble = Ensemble::start(&built::system(), 1, folder).expect("it serves");
    for mix in [Mix::Create, Mix::CreateDelete, Mix::Mixed, Mix::Multi, Mix::FanOut, Mix::Ephemeral]
    {
        let report = load::run(&options(&ensemble, mix), false, &mut |_| ()).expect("a report");
        assert!(report.operations > 0, "{report}");
        assert!(report.is_clean(), "{report}");
    }
    let open_loop = LoadOptions {
        rate: Some(200),
        threads: 2,
        io: Some("poll".into()),
        ..options(&ensemble, Mix::Set)
    };
    let report = load::run(&open_loop, false, &mut |_| ()).expect("a report");
    assert!(report.operations > 0 && report.is_clean(), "{report}");
}
