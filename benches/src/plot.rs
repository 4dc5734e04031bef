//! `memory.svg`, from the two CSV files of one `cargo xtask bench memory`.
use crate::svg::{Bar, Panel, Scale, drawing};
use std::fs;
use std::io;
use std::path::Path;

/// A line of either file.
struct Line {
    case: String,
    contestant: String,
    median: f64,
    against: String,
    compared: f64,
    target: Option<f64>,
}

/// Draws what is there: the Python panel is missing where the Python benches have not run.
pub(crate) fn draw(folder: &Path) -> io::Result<()> {
    let python = fs::read_to_string(folder.join("memory-python.csv")).unwrap_or_default();
    let rust = fs::read_to_string(folder.join("memory-rust.csv"))?;
    let (python_lines, rust_lines) = (lines(&python), lines(&rust));
    let mut panels = vec![python_panel(&python_lines), throughput_panel(&rust_lines)];
    panels.extend([memory_panel(&rust_lines), hit_ratio_panel(&rust_lines)]);
    panels.retain(|panel| !panel.bars.is_empty());
    let facts = [comments(&python), comments(&rust)].concat();
    fs::write(folder.join("memory.svg"), drawing(&panels, &facts))
}

fn comments(text: &str) -> Vec<String> {
    let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    comments.filter(|line| !line.starts_with("made by")).map(str::to_owned).collect()
}

fn lines(text: &str) -> Vec<Line> {
    let data = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    data.filter_map(line).collect()
}

fn line(text: &str) -> Option<Line> {
    let fields: Vec<&str> = text.split(',').collect();
    let &[case, contestant, median, _, _, against, compared, target, _] = fields.as_slice() else {
        return None;
    };
    Some(Line {
        case: case.to_owned(),
        contestant: contestant.to_owned(),
        median: median.parse().ok()?,
        against: against.to_owned(),
        compared: compared.parse().ok()?,
        target: target.split(' ').nth(1).and_then(|number| number.parse().ok()),
    })
}

fn python_panel(lines: &[Line]) -> Panel {
    let ours = |line: &&Line| line.contestant.starts_with("hotclub") && line.against.starts_with("Django");
    let bar = |line: &Line| Bar {
        label: line.case.clone(),
        value: line.compared,
        target: line.target,
        is_ours: true,
        text: format!("{:.1}x", line.compared),
    };
    Panel {
        title: "Python: CPU time of Django's LocMemCache divided by hotclub's".to_owned(),
        axis: "times faster, logarithmic; the mark is the target".to_owned(),
        scale: Scale::Logarithmic { most: 1000.0 },
        bars: lines.iter().filter(ours).map(bar).collect(),
    }
}

fn bars_of(lines: &[Line], cases: &[&str], text: impl Fn(&Line) -> (f64, String)) -> Vec<Bar> {
    let chosen = cases.iter().flat_map(|case| lines.iter().filter(move |line| line.case == **case));
    let bar = |line: &Line| {
        let (value, text) = text(line);
        let label = format!("{}: {}", line.case, line.contestant);
        Bar { label, value, target: None, is_ours: line.contestant.starts_with("hotclub"), text }
    };
    chosen.map(bar).collect()
}

fn throughput_panel(lines: &[Line]) -> Panel {
    Panel {
        title: "Rust: throughput, quick_cache = 1".to_owned(),
        axis: "operations a CPU-second, in proportion to quick_cache's".to_owned(),
        scale: Scale::Linear { most: 1.5 },
        bars: bars_of(lines, &["get 1 thread", "75 % get 4 threads"], |line| {
            (line.compared, format!("{:.2}", line.compared))
        }),
    }
}

fn memory_panel(lines: &[Line]) -> Panel {
    Panel {
        title: "Rust: memory an entry beyond its key and value".to_owned(),
        axis: "bytes; a full store that evicts".to_owned(),
        scale: Scale::Linear { most: 400.0 },
        bars: bars_of(lines, &["full and evicting"], |line| (line.median, format!("{:.0}", line.median))),
    }
}

fn hit_ratio_panel(lines: &[Line]) -> Panel {
    let cases = ["Zipf 0.9 at 1 %", "Zipf 0.9 + 20 % scans at 1 %", "recency at 1 %"];
    Panel {
        title: "Hit ratio with room for 1 % of the objects".to_owned(),
        axis: "% of the requests".to_owned(),
        scale: Scale::Linear { most: 100.0 },
        bars: bars_of(lines, &cases, |line| (line.median, format!("{:.1}", line.median))),
    }
}
