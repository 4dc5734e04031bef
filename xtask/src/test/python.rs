//! The Python tests: through Django, as a user, on the interpreters and Django releases that we support.

use crate::counts;
use crate::places;
use crate::python::{DJANGO, Interpreter, NEWEST_DJANGO, OLDEST_DJANGO, Series};
use crate::shell::{Failure, Result, Run, side_by_side};
use crate::test::{Context, Done, pylibmc, wheel};
use crate::venv::Venv;

/// How many pairs are tested at the same time.
const AT_ONCE: usize = 2;
/// What pytest says when it found no test.
const NO_TESTS: i32 = 5;

/// A Python with a Django.
pub(crate) struct Pair<'a> {
    interpreter: &'a Interpreter,
    pub(crate) django: Series,
}

impl Pair<'_> {
    /// `3.13-django6.1`.
    pub(crate) fn name(&self) -> String {
        format!("{}-django{}", self.interpreter.series(), self.django)
    }

    /// The environment of this pair, with Django and the wheel in it.
    pub(crate) fn venv(&self) -> Result<Venv> {
        let venv = Venv::open(&self.name(), self.interpreter)?;
        venv.require(&[&format!("Django=={}.*", self.django)], None)?;
        venv.install_wheel(&wheel::find(self.interpreter)?)?;
        Ok(venv)
    }
}

/// The pairs that are tested: newest with newest and oldest with oldest, with `--long` all that fit.
pub(crate) fn pairs(context: &Context) -> Result<Vec<Pair<'_>>> {
    let interpreters = context.interpreters()?;
    if context.options.long {
        return Ok(interpreters.all().iter().flat_map(|python| pairs_with(python, &DJANGO)).collect());
    }
    let mut pairs = vec![newest_pair(context)?];
    if pairs[0].name() != oldest_name(interpreters.oldest()) {
        pairs.push(Pair { interpreter: interpreters.oldest(), django: OLDEST_DJANGO });
    }
    Ok(pairs)
}

fn pairs_with<'a>(interpreter: &'a Interpreter, releases: &[(Series, Series)]) -> Vec<Pair<'a>> {
    let fitting = releases.iter().filter(|(_, python)| *python <= interpreter.series());
    fitting.map(|&(django, _)| Pair { interpreter, django }).collect()
}

fn oldest_name(interpreter: &Interpreter) -> String {
    Pair { interpreter, django: OLDEST_DJANGO }.name()
}

/// The newest interpreter with the newest Django that runs on it.
fn newest_pair(context: &Context) -> Result<Pair<'_>> {
    let newest = pairs_with(context.interpreters()?.newest(), &DJANGO).pop();
    newest.ok_or_else(|| Failure::said("no supported Django runs on any interpreter here"))
}

/// The environment of the newest pair.
pub(crate) fn newest_venv(context: &Context) -> Result<Venv> {
    newest_pair(context)?.venv()
}

/// Why the newest Django is not among the pairs, if it is not: a problem in CI, else a remark.
pub(crate) fn note_what_is_missing(context: &Context, done: &mut Done) -> Result<()> {
    if newest_pair(context)?.django == NEWEST_DJANGO {
        return Ok(());
    }
    let needed = DJANGO[2].1;
    let missing = format!(
        "Django {NEWEST_DJANGO} was not tested: it needs Python {needed} or newer, and there is none"
    );
    if places::is_ci() {
        done.problems.push(missing);
    } else {
        done.remark(&missing);
    }
    Ok(())
}

/// Every Python test, on every pair: side by side, because much of the time is waiting for servers and processes.
pub(crate) fn test_all(context: &Context) -> Result<Done> {
    let mut done = Done::default();
    let pairs = pairs(context)?;
    let mut runs = Vec::new();
    for pair in &pairs {
        runs.push((format!("python-{}", pair.name()), pytest(pair, &[])?));
    }
    for some in runs.chunks(AT_ONCE) {
        for ((_, run), ended) in some.iter().zip(side_by_side(some)?) {
            done.add(run, &ended, counts::of_pytest(&ended.output));
        }
    }
    pairs.iter().for_each(|pair| done.remark(&pair.name()));
    note_what_is_missing(context, &mut done)?;
    Ok(done)
}

/// The Python tests that name a room, on the newest pair.
pub(crate) fn test_room(context: &Context) -> Result<Done> {
    let room = context.options.room.as_deref().unwrap_or_default();
    let mut done = Done::default();
    test_pair(&newest_pair(context)?, &["-k", room], &mut done)?;
    Ok(done)
}

fn test_pair(pair: &Pair<'_>, selection: &[&str], done: &mut Done) -> Result<()> {
    let run = pytest(pair, selection)?;
    let ended = run.show_and_read(&places::log(&format!("python-{}", pair.name())))?;
    if ended.code() == Some(NO_TESTS) && !selection.is_empty() {
        done.remark("no Python test names it");
    } else {
        done.add(&run, &ended, counts::of_pytest(&ended.output));
    }
    Ok(())
}

/// The tests in the environment of a pair, made ready for them.
fn pytest(pair: &Pair<'_>, selection: &[&str]) -> Result<Run> {
    places::required("python/tests", "the Python tests are there")?;
    let venv = pair.venv()?;
    let requirements = places::root().join("python/tests/requirements.txt");
    if requirements.exists() {
        venv.require(&[], Some(&requirements))?;
    } else {
        venv.require(&["pytest>=8"], None)?;
    }
    if pylibmc::can_be_built() {
        pylibmc::require(&venv)?;
    }
    Ok(venv.run(["-m", "pytest", "python/tests"]).args(selection).minutes(20))
}
