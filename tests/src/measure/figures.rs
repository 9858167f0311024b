//! Figures and their budgets: what was measured, beside what it may be at most.

use serde_json::{Value, json};

/// One figure, measured in several runs.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it says, with the number of notes where that counts.
    pub name: String,
    /// What was measured of Thicket, run by run.
    pub thicket: Vec<f64>,
    /// What was measured of the bound in the same runs; nothing for a figure with a budget of its own.
    pub bound: Vec<f64>,
    /// The unit of both.
    pub unit: &'static str,
    /// The most that the ratio, or without a bound the figure itself, may be.
    pub budget: f64,
}

impl Figure {
    /// A figure to which runs are added.
    pub fn new(name: impl Into<String>, unit: &'static str, budget: f64) -> Self {
        Self { name: name.into(), thicket: Vec::new(), bound: Vec::new(), unit, budget }
    }

    /// Adds a run beside the bound.
    pub fn beside(&mut self, thicket: f64, bound: f64) {
        self.thicket.push(thicket);
        self.bound.push(bound);
    }

    /// What is held against the budget, run by run.
    fn held(&self) -> Vec<f64> {
        if self.bound.is_empty() {
            return self.thicket.clone();
        }
        self.thicket.iter().zip(&self.bound).map(|(thicket, bound)| thicket / bound).collect()
    }

    /// Whether the median keeps to the budget.
    pub fn is_kept(&self) -> bool {
        median(&self.held()) <= self.budget
    }

    /// As an object of JSON.
    pub fn to_json(&self) -> Value {
        let (low, high) = ends(&self.held());
        json!({
            "name": self.name, "unit": self.unit, "thicket": self.thicket, "bound": self.bound,
            "value": median(&self.held()), "low": low, "high": high, "budget": self.budget, "kept": self.is_kept(),
        })
    }

    /// As a line of a table, under [`HEAD`].
    pub fn line(&self) -> String {
        let (low, high) = ends(&self.held());
        let bound = if self.bound.is_empty() { "–".to_owned() } else { show(median(&self.bound)) };
        format!(
            "| {} | {} {} | {bound} | {} | {}–{} | ≤ {} | {} |",
            self.name,
            show(median(&self.thicket)),
            self.unit,
            show(median(&self.held())),
            show(low),
            show(high),
            show(self.budget),
            if self.is_kept() { "kept" } else { "MISSED" }
        )
    }
}

/// The head of the table.
pub const HEAD: &str =
    "| figure | Thicket | bound | held to the budget | from–to | budget | |\n|---|---|---|---|---|---|---|";

/// The middle of several runs, the mean of the two middle ones where their number is even.
pub fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (below, above) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(below), sorted.get(above)) {
        (Some(below), Some(above)) => f64::midpoint(*below, *above),
        (None, _) | (_, None) => f64::NAN,
    }
}

fn ends(runs: &[f64]) -> (f64, f64) {
    runs.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), run| (low.min(*run), high.max(*run)))
}

/// Three digits that count.
fn show(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 0.1 => format!("{figure:.2}"),
        _ => format!("{figure:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_held_against_the_median_of_the_ratios() {
        let mut push = Figure::new("push", "s", 1.0);
        push.beside(2.0, 1.0);
        push.beside(0.9, 1.0);
        push.beside(1.0, 1.0);
        assert!(push.is_kept(), "the median is the budget itself");
        push.beside(1.1, 1.0);
        assert!(!push.is_kept(), "the middle of 1.0 and 1.1 is over it");
    }

    #[test]
    fn a_figure_without_runs_keeps_no_budget() {
        assert!(!Figure::new("nothing", "s", 1.0).is_kept());
    }
}
