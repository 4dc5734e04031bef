//! Django's own cache tests over our classes: the second judge.

use crate::counts;
use crate::places;
use crate::shell::{Result, Run, side_by_side};
use crate::test::python::{self, Pair};
use crate::test::{Context, Done};
use crate::venv::Venv;

const RUNNER: &str = "conformance/upstream/run.py";
/// Which kinds of cache are judged, and the class of ours that stands in for Django's.
const KINDS: [(&str, &str); 2] =
    [("locmem", "hotclub.django.LocMemCache"), ("dummy", "hotclub.django.DummyCache")];

/// All kinds on all pairs, side by side: they mostly sleep.
pub(crate) fn run(context: &Context) -> Result<Done> {
    places::required(RUNNER, "it runs Django's own tests")?;
    let mut done = Done::default();
    python::note_what_is_missing(context, &mut done)?;
    let mut runs = Vec::new();
    for pair in python::pairs(context)? {
        runs.extend(prepare(&pair)?);
    }
    // Two pairs at a time, so that `--long` does not start a dozen.
    for runs in runs.chunks(2 * KINDS.len()) {
        for ((_, run), ended) in runs.iter().zip(side_by_side(runs)?) {
            done.add(run, &ended, counts::of_closing_line(&ended.output));
        }
    }
    Ok(done)
}

/// Fetches the tests of this Django once, then tells how to run each kind.
fn prepare(pair: &Pair<'_>) -> Result<Vec<(String, Run)>> {
    let venv = pair.venv()?;
    let requirements =
        places::required("conformance/upstream/requirements.txt", "what Django's tests import")?;
    venv.require(&[], Some(&requirements))?;
    let version = venv.run(["-c", "import django; print(django.get_version())"]).read()?;
    let runner = runner(&venv, version.trim());
    runner.clone().arg("--prepare").show_retrying()?;
    let order = |(kind, class)| {
        let run = runner.clone().args(["--kind", kind, "--backend", class]);
        (format!("upstream {kind} {}", pair.name()), run)
    };
    Ok(KINDS.map(order).to_vec())
}

fn runner(venv: &Venv, django: &str) -> Run {
    venv.run([RUNNER, "--django", django])
        .arg("--python")
        .arg(venv.python())
        .arg("--work")
        .arg(places::target().join("upstream"))
        .minutes(20)
}
