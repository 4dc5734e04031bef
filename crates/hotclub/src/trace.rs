//! The execution table: what a block of code asked the cache, and what came back, step by step.
//!
//! Off, it costs one relaxed load a call. On, it records the calls of this thread (or task) only.
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One row of the table. Empty text means that the column does not apply.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What was done: `get("user_1")`, `check: products is None`, `generate`.
    pub action: String,
    /// The backend that was asked.
    pub backend: String,
    /// What a lookup gave: a value, or `None`.
    pub get_result: String,
    /// What a write did.
    pub set_action: String,
    /// What came out of the step.
    pub output: String,
    /// The tier that answered.
    pub tier: String,
    /// How long it took.
    pub time: Duration,
}

impl Step {
    /// A step that is no cache call: a check, generating, an answer.
    pub fn new(action: impl Into<String>, output: impl Into<String>) -> Self {
        Step { action: action.into(), output: output.into(), ..Step::default() }
    }
}

/// A table that is being recorded, or was. Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Step>>>);

/// How many recordings are on, in all threads: zero means that no call looks further.
static RECORDINGS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static CURRENT: RefCell<Vec<Trace>> = const { RefCell::new(Vec::new()) };
}

/// Whether any recording is on in this process.
#[inline]
pub fn is_on() -> bool {
    RECORDINGS.load(Relaxed) != 0
}

impl Trace {
    /// An empty table.
    pub fn new() -> Self {
        Trace::default()
    }

    /// Adds a row.
    pub fn push(&self, step: Step) {
        self.lock().push(step);
    }

    /// The rows so far.
    pub fn steps(&self) -> Vec<Step> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Makes calls look for a recording, until [`Trace::leave`]; for doors that keep the current
    /// recording in a place of their own (Python's context variables).
    pub fn enter() {
        RECORDINGS.fetch_add(1, Relaxed);
    }

    /// Ends what [`Trace::enter`] began.
    pub fn leave() {
        RECORDINGS.fetch_sub(1, Relaxed);
    }
}

/// Makes a table the current one of this thread for as long as it lives.
struct Current;

impl Current {
    fn enter(trace: &Trace) -> Self {
        CURRENT.with_borrow_mut(|stack| stack.push(trace.clone()));
        Trace::enter();
        Current
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(Vec::pop);
        Trace::leave();
    }
}

/// Records the cache calls that `block` makes on this thread.
///
/// ```
/// use hotclub::blocking::Cache;
/// let cache = Cache::memory();
/// let (visits, table) = hotclub::trace::record(|| {
///     cache.set("visits", &41)?;
///     cache.incr("visits", 1)
/// });
/// assert_eq!(visits?, 42);
/// let actions: Vec<_> = table.steps().into_iter().map(|step| step.action).collect();
/// assert_eq!(actions, [r#"set("visits")"#, r#"incr("visits", 1)"#]);
/// println!("{table}");
/// # Ok::<(), hotclub::Error>(())
/// ```
pub fn record<R>(block: impl FnOnce() -> R) -> (R, Trace) {
    let trace = Trace::new();
    let current = Current::enter(&trace);
    let result = block();
    drop(current);
    (result, trace)
}

/// Records the cache calls that a future makes, on whatever threads it is polled.
pub async fn record_async<F: Future>(future: F) -> (F::Output, Trace) {
    let trace = Trace::new();
    let mut future = pin!(future);
    let result = std::future::poll_fn(|context| {
        let _current = Current::enter(&trace);
        future.as_mut().poll(context)
    });
    let result = result.await;
    (result, trace)
}

/// Adds a step that is no cache call to the current table, if one is being recorded.
pub fn step(action: impl Into<String>, output: impl Into<String>) {
    if is_on() {
        push_to_current(|| Step::new(action, output));
    }
}

/// Runs `work` as a step of the current table, with its time.
pub fn timed<R>(action: &str, work: impl FnOnce() -> R) -> R {
    let call = Call::begin();
    let result = work();
    call.end(|| Step::new(action, ""));
    result
}

fn push_to_current(step: impl FnOnce() -> Step) {
    CURRENT.with_borrow(|stack| {
        if let Some(trace) = stack.last() {
            trace.push(step());
        }
    });
}

/// A call that is under way; knows when it began if a recording is on.
#[must_use]
pub(crate) struct Call(Option<Instant>);

impl Call {
    #[inline]
    pub(crate) fn begin() -> Self {
        Call(is_on().then(Instant::now))
    }

    /// Ends the call; `step` is made only if this thread is recording.
    #[inline]
    pub(crate) fn end(self, step: impl FnOnce() -> Step) {
        if let Some(began) = self.0 {
            let time = began.elapsed();
            push_to_current(|| Step { time, ..step() });
        }
    }
}

const WIDEST: usize = 48;

/// Shortens what is too wide for a table.
fn cell(text: &str) -> String {
    let flat = text.replace(['\n', '\r', '\t'], " ");
    match flat.char_indices().nth(WIDEST) {
        None => flat,
        Some((end, _)) => format!("{}…", &flat[..end]),
    }
}

/// A time as people read it: `870 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`.
pub fn human(time: Duration) -> String {
    let nanoseconds = time.as_nanos();
    match nanoseconds {
        0 => String::new(),
        1..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} µs", nanoseconds as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", nanoseconds as f64 / 1e6),
        _ if time.subsec_nanos() == 0 => format!("{} s", time.as_secs()),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

const COLUMNS: [&str; 8] =
    ["Step", "Action", "Cache backend", "Cache get result", "Cache set action", "Output", "Time", "Tier"];

/// The table as text; the tier column only where tiers answered.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps();
        let tiers = steps.iter().any(|step| !step.tier.is_empty());
        let columns = if tiers { COLUMNS.len() } else { COLUMNS.len() - 1 };
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        rows.extend(steps.iter().enumerate().map(|(index, step)| {
            let texts = [&step.action, &step.backend, &step.get_result, &step.set_action, &step.output];
            let [action, backend, get_result, set_action, output] = texts.map(|text| cell(text));
            let number = (index + 1).to_string();
            [number, action, backend, get_result, set_action, output, human(step.time), cell(&step.tier)]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(text, &width)| format!("{text:<width$}"));
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if index == 0 {
                let rules = widths.iter().map(|&width| "-".repeat(width));
                writeln!(f, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_stand_in_the_order_of_the_founding_table() {
        let trace = Trace::new();
        trace.push(Step { get_result: "None".into(), ..Step::new("get(\"a\")", "") });
        let text = trace.to_string();
        let head = text.lines().next().unwrap();
        let names: Vec<_> = head.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(names, &COLUMNS[..7]);
        assert_eq!(text.lines().count(), 3);
        trace.push(Step { tier: "L1".into(), ..Step::default() });
        assert!(trace.to_string().lines().next().unwrap().contains("| Tier"));
    }

    #[test]
    fn other_threads_are_not_recorded() {
        let ((), trace) = record(|| {
            step("mine", "");
            std::thread::spawn(|| step("theirs", "")).join().unwrap();
        });
        assert_eq!(trace.steps(), [Step::new("mine", "")]);
    }

    #[test]
    fn recordings_nest_and_end() {
        let (((), inner), outer) = record(|| {
            step("before", "");
            let inner = record(|| step("inside", ""));
            step("after", "");
            inner
        });
        assert_eq!(inner.steps().len(), 1);
        assert_eq!(outer.steps().len(), 2);
        step("nowhere", "");
        assert_eq!(outer.steps().len(), 2);
    }

    #[test]
    fn wide_values_are_cut_and_lines_kept_whole() {
        let trace = Trace::new();
        trace.push(Step::new("get", "line\nline ".repeat(40)));
        assert_eq!(trace.to_string().lines().count(), 3);
        assert!(trace.to_string().contains('…'));
    }
}
