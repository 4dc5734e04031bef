//! Horizontal bars as SVG, in tones that read on light and on dark paper.
use std::fmt::Write as _;

pub(crate) enum Scale {
    /// From 1 to `most`.
    Logarithmic { most: f64 },
    /// From 0 to `most`.
    Linear { most: f64 },
}

pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) target: Option<f64>,
    pub(crate) is_ours: bool,
    /// The value as it is written behind the bar.
    pub(crate) text: String,
}

pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) axis: String,
    pub(crate) scale: Scale,
    pub(crate) bars: Vec<Bar>,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 70.0;
const STEP: f64 = 20.0;
const BAR: f64 = 13.0;
const HEAD: f64 = 44.0;
const FOOT: f64 = 56.0;

const STYLE: &str = "text { font: 12px sans-serif; fill: #767b84; } .title { font-weight: bold; font-size: 14px; } \
                     .small { font-size: 11px; } .ours { fill: #d9691e; } .peer { fill: #8a94a6; } \
                     .grid { stroke: #8a94a6; stroke-opacity: 0.35; } .target { stroke: #2f9e6e; stroke-width: 3; }";

impl Scale {
    /// Where a value lies between the axis' ends, 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let share = match *self {
            Scale::Logarithmic { most } => value.max(1.0).ln() / most.ln(),
            Scale::Linear { most } => value / most,
        };
        share.clamp(0.0, 1.0)
    }

    fn marks(&self) -> Vec<f64> {
        match *self {
            Scale::Logarithmic { most } => {
                let wanted = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
                wanted.into_iter().filter(|&mark| mark <= most).collect()
            }
            Scale::Linear { most } => (0..=5).map(|fifth| most * f64::from(fifth) / 5.0).collect(),
        }
    }
}

impl Panel {
    fn height(&self) -> f64 {
        HEAD + STEP * self.bars.len() as f64 + FOOT
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.scale.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn draw(&self, svg: &mut String, top: f64) {
        let (first, last) = (top + HEAD, top + HEAD + STEP * self.bars.len() as f64);
        text(svg, (10.0, top + 24.0), "class=\"title\"", &self.title);
        for mark in self.scale.marks() {
            let x = self.x(mark);
            let _ = writeln!(svg, r#"<line class="grid" x1="{x:.1}" y1="{first}" x2="{x:.1}" y2="{last}"/>"#);
            let number = format!("{}", (mark * 100.0).round() / 100.0);
            text(svg, (x, last + 16.0), "class=\"small\" text-anchor=\"middle\"", &number);
        }
        text(svg, (LEFT, last + 34.0), "class=\"small\"", &self.axis);
        for (index, bar) in self.bars.iter().enumerate() {
            self.draw_bar(svg, bar, first + STEP * index as f64);
        }
    }

    fn draw_bar(&self, svg: &mut String, bar: &Bar, top: f64) {
        let (end, base, class) =
            (self.x(bar.value), top + STEP - 6.0, if bar.is_ours { "ours" } else { "peer" });
        text(svg, (LEFT - 8.0, base), "text-anchor=\"end\"", &bar.label);
        let (y, width) = (top + (STEP - BAR) / 2.0, end - LEFT);
        let _ =
            writeln!(svg, r#"<rect class="{class}" x="{LEFT}" y="{y}" width="{width:.1}" height="{BAR}"/>"#);
        if let Some(x) = bar.target.map(|target| self.x(target)) {
            let (up, down) = (top + 1.0, top + STEP - 1.0);
            let _ = writeln!(svg, r#"<line class="target" x1="{x:.1}" y1="{up}" x2="{x:.1}" y2="{down}"/>"#);
        }
        let behind = bar.target.map_or(end, |target| end.max(self.x(target)));
        text(svg, (behind + 6.0, base), "", &bar.text);
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" {attributes}>{words}</text>"#);
}

/// The panels below each other, then how they were made.
pub(crate) fn drawing(panels: &[Panel], facts: &[String]) -> String {
    let panels_end: f64 = panels.iter().map(Panel::height).sum();
    let height = panels_end + 16.0 * facts.len() as f64 + 16.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\">\n\
         <style>{STYLE}</style>\n"
    );
    let mut top = 0.0;
    for panel in panels {
        panel.draw(&mut svg, top);
        top += panel.height();
    }
    for (index, fact) in facts.iter().enumerate() {
        text(&mut svg, (10.0, panels_end + 16.0 * index as f64), "class=\"small\"", fact);
    }
    svg.push_str("</svg>\n");
    svg
}
