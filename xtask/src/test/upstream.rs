//! Django's own cache tests, and those of packages that live on the cache, over our classes: the second judge.

use crate::counts;
use crate::places;
use crate::shell::{Result, Run, side_by_side};
use crate::test::pylibmc;
use crate::test::python::{self, Pair};
use crate::test::wheel;
use crate::test::{Context, Done};
use crate::venv::Venv;

const RUNNER: &str = "conformance/upstream/run.py";
/// What is judged, and the class of ours that stands in for the class that the tests name.
const ROWS: [Row; 9] = [
    row("locmem", "hotclub.django.LocMemCache"),
    row("file", "hotclub.django.FileBasedCache"),
    row("database", "hotclub.django.DatabaseCache"),
    row("sqlite", "hotclub.django.SQLiteCache"),
    row("dummy", "hotclub.django.DummyCache"),
    row("pymemcache", "hotclub.django.PyMemcacheCache"),
    row(PYLIBMC, "hotclub.django.PyLibMCCache"),
    Row { ratchet: "test_serializer_dumps", ..row("redis", "hotclub.django.RedisCache") },
    Row { suite: true, ..row("django-redis", "hotclub.django.RedisCache") },
];
/// The row whose tests name the exceptions of a library that not every machine can build.
const PYLIBMC: &str = "pylibmc";
/// Packages whose own tests run over `APPLICATIONS_CLASS`, only with `--long`.
const APPLICATIONS: [&str; 6] =
    ["rest-framework", "axes", "debug-toolbar", "ratelimit", "constance", "cachalot"];
const APPLICATIONS_CLASS: &str = "hotclub.django.RedisCache";
/// The classes that are there to be judged; the rows of all others wait for theirs.
const JUDGED: [&str; 8] = [
    "hotclub.django.LocMemCache",
    "hotclub.django.FileBasedCache",
    "hotclub.django.DatabaseCache",
    "hotclub.django.SQLiteCache",
    "hotclub.django.DummyCache",
    "hotclub.django.PyMemcacheCache",
    "hotclub.django.PyLibMCCache",
    "hotclub.django.RedisCache",
];

/// One row: a kind of cache of Django's tests, or the tests of another package.
#[derive(Clone, Copy)]
struct Row {
    kind: &'static str,
    class: &'static str,
    /// Tests that only read private names, comma between them; we mirror those names, and stay with it.
    ratchet: &'static str,
    /// Another package's tests, which import more; with `--long` under all settings that it has.
    suite: bool,
}

const fn row(kind: &'static str, class: &'static str) -> Row {
    Row { kind, class, ratchet: "", suite: false }
}

/// All rows on all pairs, side by side: they mostly sleep.
pub(crate) fn run(context: &Context) -> Result<Done> {
    places::required(RUNNER, "it runs Django's own tests")?;
    let mut done = Done::default();
    python::note_what_is_missing(context, &mut done)?;
    let mut rows: Vec<Row> = ROWS.into_iter().filter(|row| JUDGED.contains(&row.class)).collect();
    if !pylibmc::can_be_built() {
        rows.retain(|row| row.kind != PYLIBMC);
        done.remark(pylibmc::MISSING);
    }
    let mut runs = Vec::new();
    for pair in python::pairs(context)? {
        runs.extend(prepare(context, &pair, &rows)?);
    }
    // Two pairs at a time, so that `--long` does not start dozens.
    for runs in runs.chunks(2 * rows.len()) {
        judge(runs, &mut done)?;
    }
    if context.options.long && JUDGED.contains(&APPLICATIONS_CLASS) {
        judge(&prepare_applications(context)?, &mut done)?;
    }
    Ok(done)
}

fn judge(runs: &[(String, Run)], done: &mut Done) -> Result<()> {
    for (row, mut ended) in runs.iter().zip(side_by_side(runs)?) {
        let (name, run) = row;
        // Beside the others a timeout of a second may be over too soon. Alone it is not.
        if ended.problem(run).is_some()
            && let Some(again) = side_by_side(std::slice::from_ref(row))?.pop()
        {
            done.remark(&format!("{name} was run again, alone"));
            ended = again;
        }
        done.add(run, &ended, counts::of_closing_line(&ended.output));
        // No server on this machine: the runner says which and what to install.
        if let Some(skipped) = ended.output.lines().find(|line| line.contains(": skipped: ")) {
            done.remark(skipped);
        }
    }
    Ok(())
}

/// Fetches the tests once, then tells how to run each row.
fn prepare(context: &Context, pair: &Pair<'_>, rows: &[Row]) -> Result<Vec<(String, Run)>> {
    let venv = pair.venv()?;
    require(&venv, "requirements.txt")?;
    if rows.iter().any(|row| row.suite) {
        require(&venv, "requirements-suites.txt")?;
    }
    if rows.iter().any(|row| row.kind == PYLIBMC) {
        pylibmc::require(&venv)?;
    }
    let django = django_in(&venv)?;
    let mut runs = Vec::new();
    for row in rows {
        let run = runner(&venv, &django).args(["--kind", row.kind]);
        if row.suite || runs.is_empty() {
            // Django's tests are the same for every kind.
            run.clone().arg("--prepare").show_retrying()?;
        }
        runs.push((format!("upstream {} {}", row.kind, pair.name()), arguments(context, row, run)));
    }
    Ok(runs)
}

/// The same for the applications: newest with newest, in an environment of their own, for they bring plugins.
fn prepare_applications(context: &Context) -> Result<Vec<(String, Run)>> {
    let interpreter = context.interpreters()?.newest();
    let django = django_in(&python::newest_venv(context)?)?;
    let venv = Venv::open("applications", interpreter)?;
    venv.require(&[&format!("Django=={django}")], None)?;
    venv.install_wheel(&wheel::find(interpreter)?)?;
    require(&venv, "requirements-applications.txt")?;
    let mut runs = Vec::new();
    for kind in APPLICATIONS {
        let run = runner(&venv, &django).args(["--kind", kind]);
        run.clone().arg("--prepare").show_retrying()?;
        runs.push((format!("upstream {kind}"), run.args(["--backend", APPLICATIONS_CLASS])));
    }
    Ok(runs)
}

fn require(venv: &Venv, file: &str) -> Result<()> {
    let file = places::required(&format!("conformance/upstream/{file}"), "what the tests import")?;
    venv.require(&[], Some(&file))
}

fn django_in(venv: &Venv) -> Result<String> {
    let version = venv.run(["-c", "import django; print(django.get_version())"]).read()?;
    Ok(version.trim().to_owned())
}

fn arguments(context: &Context, row: &Row, mut run: Run) -> Run {
    run = run.args(["--backend", row.class]);
    if !row.ratchet.is_empty() {
        run = run.args(["--ratchet", row.ratchet]);
    }
    if row.suite && context.options.long {
        // They mostly sleep too.
        run = run.args(["--all-settings", "--jobs", "8"]);
    }
    run
}

fn runner(venv: &Venv, django: &str) -> Run {
    venv.run([RUNNER, "--django", django])
        .arg("--python")
        .arg(venv.python())
        .arg("--work")
        .arg(places::target().join("upstream"))
        .minutes(20)
}
