//! An experiment: a config, checked as a whole and taken apart into cells.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::assemble::Context;
use super::cell::Cell;
use super::claim::ClaimConfig;
use super::expression::MetricConfig;
use super::figure::FigureConfig;
use super::launch::{Resources, TimingRule};
use super::monte_carlo::{Estimate, Simulate};
use super::plugin::load_plugins;
use super::setting::set;
use super::source::Source;
use super::sweep::cells;
use super::system::{System, read_instances};
use super::write::to_toml;
use crate::error::{Error, InputError, Result};
use crate::instance::found;
use crate::plugin::Plugin;

pub(super) const SECTIONS: [&str; 16] = [
    "name",
    "scenario",
    "instances",
    "problem",
    "plugin",
    "solver",
    "metric",
    "sweep",
    "trials",
    "stop",
    "simulate",
    "estimate",
    "figure",
    "claim",
    "run",
    "resources",
];

/// More runs than this are refused, as a slip of the pen.
const MOST_RUNS: u64 = 10_000_000;

/// A checked config.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Its name; the file's where it gives none.
    pub name: String,
    /// The sweep's points, in its order; one where there is no sweep.
    pub cells: Vec<Cell>,
    /// Trials of each cell.
    pub trials: u64,
    /// The seed of all random streams.
    pub seed: u64,
    /// Monte-Carlo figures beside the closed forms, where asked for.
    pub simulate: Option<Simulate>,
    /// Mean square errors of estimators beside the bounds on them, where asked for.
    pub estimate: Option<Estimate>,
    /// The plugins that it loads.
    pub plugins: Arc<[Plugin]>,
    /// How solves are timed; it changes no result.
    pub timing: TimingRule,
    /// What launchers ask for; it changes no result.
    pub resources: Resources,
    /// The figures of its report; they change no result.
    pub figures: Vec<FigureConfig>,
    /// What a paper says of it; they change no result.
    pub claims: Vec<ClaimConfig>,
    /// The config with all defaults filled in.
    pub resolved: Map<String, Value>,
    /// What the reader should know, though it is no mistake.
    pub notes: Vec<String>,
}

impl Experiment {
    /// Reads and checks a config file, after `settings` (`KEY=VALUE`) were put into it.
    ///
    /// Errors list every mistake that can be told, each with file, line and key.
    pub fn read(path: &Path, settings: &[String]) -> Result<Self> {
        let mut source = Source::read(path)?;
        for setting in settings {
            set(&mut source, setting)?;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        read(source, folder, &stem)
    }

    /// The config with all defaults filled in, as TOML: run again, it gives the same experiment.
    pub fn to_toml(&self) -> String {
        to_toml(&self.resolved)
    }

    /// Gives mistakes the file and line of their keys.
    pub fn locate(&self, mistakes: Vec<InputError>) -> Vec<InputError> {
        match self.cells.first() {
            Some(cell) => cell.source.locate(mistakes),
            None => mistakes,
        }
    }
}

fn read(source: Source, folder: &Path, stem: &str) -> Result<Experiment> {
    let mut mistakes = Vec::new();
    let tree = source.tree.clone();
    for key in tree.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
        mistakes.push(InputError::unknown(key, key, SECTIONS));
    }
    let name = match tree.get("name") {
        None => stem.to_string(),
        Some(Value::String(name)) if !name.trim().is_empty() => name.clone(),
        Some(other) => {
            mistakes.push(InputError::new("name", found(other), "a text"));
            String::new()
        }
    };
    let (trials, seed) = read_trials(&tree, &mut mistakes);
    let metrics = read_metrics(&tree, &mut mistakes);
    let simulate = Simulate::read(&tree, &mut mistakes);
    let estimate = Estimate::read(&tree, &mut mistakes);
    let figures = FigureConfig::read_all(&tree, &mut mistakes);
    let claims = ClaimConfig::read_all(&tree, &mut mistakes);
    let timing = TimingRule::read(&tree, &mut mistakes);
    let resources = Resources::read(&tree, &mut mistakes);
    let instances = match (tree.get("scenario"), tree.get("instances")) {
        (Some(_), Some(_)) => {
            mistakes.push(InputError::new("instances", "`scenario` and `instances`", "one of them"));
            None
        }
        (None, None) => {
            mistakes.push(InputError::new("scenario", "neither `scenario` nor `instances`", "one of them"));
            None
        }
        (None, Some(value)) => read_instances(value, folder).map_err(|m| mistakes.extend(m)).ok(),
        (Some(_), None) => None,
    };
    if tree.contains_key("instances") && tree.get("trials").is_some_and(|t| t.get("count").is_some()) {
        mistakes.push(InputError::new("trials.count", "a count", "no count: each file of `instances` is a trial"));
    }
    let trials = instances.as_ref().map_or(trials, |files| files.len() as u64);
    let points = cells(tree.get("sweep"), &mut mistakes);
    let solvers = tree.get("solver").and_then(Value::as_array).map_or(1, Vec::len).max(1);
    let most = MOST_RUNS / (points.len() * solvers).max(1) as u64;
    if trials > most {
        let allowed = format!("at most {most}: {MOST_RUNS} runs in all");
        mistakes.push(InputError::new("trials.count", trials.to_string(), allowed));
    }
    let source = Arc::new(source);
    let instances = instances.map(System::Instances);
    let monte_carlo = (simulate.clone(), estimate.clone());
    let (plugins, plugin_tables) = load_plugins(&tree, folder, &mut mistakes);
    let plugins: Arc<[Plugin]> = plugins.into();
    let mut context = Context {
        source: &source,
        folder,
        metrics,
        monte_carlo,
        instances,
        baselines: Vec::new(),
        plugins: Arc::clone(&plugins),
    };
    let base = context.base(&tree, seed, &mut mistakes);
    let (Some(base), true) = (base, mistakes.is_empty()) else {
        return Err(Error::Input(source.locate(mistakes)));
    };
    let mut read = Vec::new();
    for (index, point) in points.into_iter().enumerate() {
        match context.cell(index, &base.resolved, point) {
            Ok(cell) => read.push(cell),
            Err(new) => {
                mistakes.extend(new.into_iter().filter(|m| !mistakes.contains(m)).collect::<Vec<_>>());
                if mistakes.len() >= 20 {
                    break;
                }
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(Error::Input(source.locate(mistakes)));
    }
    let labels = read.iter().take(1).flat_map(|cell| &cell.solvers).map(|solver| solver.label.as_str());
    mistakes.extend(resources.check(labels));
    if !mistakes.is_empty() {
        return Err(Error::Input(source.locate(mistakes)));
    }
    let mut resolved = Map::new();
    resolved.insert("name".into(), name.clone().into());
    if let Some(System::Instances(files)) = &context.instances {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let paths = files.iter().map(|f| glob::Pattern::escape(&absolute(&f.path).display().to_string()));
        resolved.insert("instances".into(), paths.collect());
    }
    if !plugin_tables.is_empty() {
        resolved.insert("plugin".into(), Value::Array(plugin_tables));
    }
    resolved.extend(base.resolved);
    for (key, value) in [
        ("metric", Some(metrics_json(&context.metrics))),
        ("sweep", tree.get("sweep").cloned()),
        ("simulate", simulate.as_ref().map(Simulate::to_json)),
        ("estimate", estimate.as_ref().map(Estimate::to_json)),
        ("figure", tree.get("figure").cloned()),
        ("claim", tree.get("claim").cloned()),
        ("run", tree.get("run").cloned()),
        ("resources", tree.get("resources").cloned()),
    ] {
        resolved.extend(value.filter(|v| *v != json!([])).map(|value| (key.to_string(), value)));
    }
    let count =
        if tree.contains_key("instances") { json!({ "seed": seed }) } else { json!({ "count": trials, "seed": seed }) };
    resolved.insert("trials".into(), count);
    let notes = Vec::new();
    let cells = read;
    Ok(Experiment {
        name,
        cells,
        trials,
        seed,
        simulate,
        estimate,
        plugins,
        timing,
        resources,
        figures,
        claims,
        resolved,
        notes,
    })
}

fn metrics_json(metrics: &[MetricConfig]) -> Value {
    metrics.iter().map(MetricConfig::to_json).collect()
}

fn read_metrics(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Arc<[MetricConfig]> {
    let tables = match tree.get("metric") {
        None => &[],
        Some(Value::Array(tables)) => tables.as_slice(),
        Some(other) => {
            mistakes.push(InputError::new("metric", found(other), "[[metric]] tables"));
            &[]
        }
    };
    let read = tables.iter().enumerate().filter_map(|(i, t)| MetricConfig::read(t, &format!("metric[{i}]"), mistakes));
    read.collect()
}

fn read_trials(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> (u64, u64) {
    let Some(section) = tree.get("trials") else { return (1, 1) };
    let Some(table) = section.as_object() else {
        mistakes.push(InputError::new("trials", found(section), "a table with `count` and `seed`"));
        return (1, 1);
    };
    for key in table.keys().filter(|key| !["count", "seed"].contains(&key.as_str())) {
        mistakes.push(InputError::unknown(format!("trials.{key}"), key, ["count", "seed"]));
    }
    let count = whole(table, "trials", "count", 1, mistakes).unwrap_or(1);
    (count, whole(table, "trials", "seed", 0, mistakes).unwrap_or(1))
}

fn whole(
    table: &Map<String, Value>,
    section: &str,
    key: &str,
    least: u64,
    mistakes: &mut Vec<InputError>,
) -> Option<u64> {
    let value = table.get(key)?;
    let read = value.as_u64().filter(|n| *n >= least);
    if read.is_none() {
        let allowed = format!("a whole number of at least {least}");
        mistakes.push(InputError::new(format!("{section}.{key}"), found(value), allowed));
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "toy"

[scenario]
type = "toy_for_tests"
power = "13 dB"
array = { horizontal = 3, vertical = 1 }

[problem]
objective = "efficiency"
constraints = { rate = { at_least = 0.01 } }

[stop]
max_iterations = 50

[[solver]]
type = "random_search"

[[solver]]
type = "random_search"
label = "quick search"
start = "nothing"
max_iterations = 5

[[solver]]
type = "equal_shares"

[[metric]]
name = "efficiency"
direction = "maximize"
expression = "sum_rate / (transmit_power + 5)"

[sweep]
"scenario.power" = ["0 dB", "10 dB"]

[[sweep.zip]]
"solver.quick search.max_iterations" = [1, 2, 3]
"scenario.array.horizontal" = [1, 2, 3]

[trials]
count = 4
seed = 7
"#;

    fn parse(text: &str, settings: &[&str]) -> Result<Experiment, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.toml");
        std::fs::write(&path, text).unwrap();
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let message = |e: Error| e.to_string().replace(&format!("{}/", folder.path().display()), "");
        Experiment::read(&path, &settings).map_err(message)
    }

    #[test]
    fn a_good_config_becomes_its_cells() {
        let experiment = parse(GOOD, &[]).unwrap();
        assert_eq!((experiment.name.as_str(), experiment.trials, experiment.seed), ("toy", 4, 7));
        assert_eq!(experiment.cells.len(), 6);
        let cell = &experiment.cells[4];
        let swept: Vec<String> = cell.sweep.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let expected =
            ["scenario.power=\"10 dB\"", "solver.quick search.max_iterations=2", "scenario.array.horizontal=2"];
        assert_eq!(swept, expected);
        assert_eq!(cell.resolved["scenario"]["array"], json!({ "horizontal": 2, "vertical": 1 }));
        let rules: Vec<_> = cell.solvers.iter().map(|s| s.rules.max_iterations).collect();
        assert_eq!(rules, [Some(50), Some(2), Some(50)]);
        let trial = cell.draw(7, 1).unwrap();
        let model = trial.problem.model();
        assert_eq!(model.instance()["power"], 10.0);
        let spec = trial.problem.spec();
        assert_eq!(spec.objective.name(), "efficiency");
        let limited: Vec<&str> = spec.constraints.iter().map(|c| c.metric.as_str()).collect();
        assert_eq!(limited, ["transmit_power", "rate"]);
        // The swept power changes no channel: the drop is the same at every point.
        let other = experiment.cells[1].draw(7, 1).unwrap().problem.model().instance();
        assert_eq!(other["gains"], model.instance()["gains"]);
        assert_eq!(other["power"], 1.0);
    }

    #[test]
    fn the_resolved_config_is_the_same_experiment() {
        let first = parse(GOOD, &["trials.count=2", "scenario.channels=5"]).unwrap();
        let again = parse(&first.to_toml(), &[]).unwrap();
        assert_eq!(again.resolved, first.resolved, "{}", first.to_toml());
        let cells = |e: &Experiment| e.cells.iter().map(|c| (c.sweep.clone(), c.resolved.clone())).collect::<Vec<_>>();
        assert_eq!(cells(&again), cells(&first));
        assert_eq!(first.resolved["scenario"]["channels"], 5);
        assert!(first.resolved["solver"][0].get("repair").is_some(), "defaults stand in it: {}", first.to_toml());
    }

    #[test]
    fn monte_carlo_sections_are_checked_against_the_model() {
        let sections = "\n[simulate]\nmetrics = [\"sum_rate\", \"rate\"]\n\n\
                        [estimate]\nestimators = [\"power_meter\"]\ntrials = 7\n";
        let text = format!("{GOOD}{sections}");
        let experiment = parse(&text, &["simulate.draws=5"]).unwrap();
        assert_eq!(experiment.simulate.as_ref().map(|s| (s.metrics.len(), s.draws)), Some((2, 5)));
        assert_eq!(experiment.estimate.as_ref().map(|e| e.trials), Some(7));
        assert_eq!(parse(&experiment.to_toml(), &[]).unwrap().resolved, experiment.resolved);
        assert_eq!(parse(&text, &[]).unwrap().resolved["simulate"]["draws"], 100);
        for (old, new, words) in [
            ("\"rate\"]", "\"rat\"]", "e.toml:45: `simulate.metrics[1]`: found unknown name `rat`"),
            (
                "\"rate\"]",
                "\"transmit_power\"]",
                "which is not simulated; allowed: what `toy_for_tests` simulates: rate",
            ),
            ("\"rate\"]", "\"efficiency\"]", "found unknown name `efficiency`"),
            ("\"rate\"]", "\"sum_rate\"]", "`sum_rate` a second time"),
            ("[\"sum_rate\", \"rate\"]", "\"rate\"", "e.toml:45: `simulate.metrics`: found \"rate\"; allowed: a list"),
            (
                "\"power_meter\"",
                "\"pover_meter\"",
                "e.toml:48: `estimate.estimators[0]`: found unknown name `pover_meter`",
            ),
            (
                "trials = 7",
                "trials = 1",
                "e.toml:49: `estimate.trials`: found 1; allowed: a whole number of at least 2",
            ),
            ("trials = 7", "draws = 7", "e.toml:49: `estimate.draws`: found unknown name `draws`"),
        ] {
            assert!(text.contains(old), "{old}");
            let message = parse(&text.replacen(old, new, 1), &[]).unwrap_err();
            assert!(message.contains(words), "{new}: {message}");
        }
    }

    #[test]
    fn a_limit_on_a_limited_metric_replaces_the_scenarios() {
        let experiment =
            parse(&GOOD.replace("rate = { at_least = 0.01 }", "transmit_power = { at_most = \"2 W\" }"), &[]);
        let spec = experiment.unwrap().cells[0].draw(7, 0).unwrap().problem.spec().clone();
        assert_eq!(spec.constraints, [crate::Constraint::at_most("transmit_power", 2.0)]);
    }

    #[test]
    fn settings_act_as_if_they_stood_in_the_file() {
        let one = |setting: &str| parse(GOOD, &[setting]);
        assert_eq!(one("sweep.\"scenario.power\"=[3]").unwrap().cells.len(), 3);
        assert_eq!(one("sweep.scenario.power=[3, 4, 5]").unwrap().cells.len(), 9);
        let cell = &one("solver.equal_shares.label=same").unwrap().cells[0];
        assert_eq!(cell.solvers[2].label, "same");
        let labelled =
            GOOD.replace("\"quick search\"", "\"a = b.c\"").replace("solver.quick search.", "solver.a = b.c.");
        let cell = &parse(&labelled, &["solver.\"a = b.c\".max_evaluations=9"]).unwrap().cells[0];
        assert_eq!(cell.solvers[1].rules.max_evaluations, Some(9));
        let without = GOOD.replace("array = { horizontal = 3, vertical = 1 }", "");
        let experiment = parse(&without, &["scenario.array.vertical=9"]).unwrap();
        assert_eq!(experiment.resolved["scenario"]["array"], json!({ "horizontal": 2, "vertical": 9 }));
        for (setting, words) in [
            ("scenario.chanels=3", "--set scenario.chanels=3: `scenario.chanels`: found unknown name"),
            ("scenario.channels=many", "--set scenario.channels=many: `scenario.channels`: found \"many\""),
            ("solver.quik search.start=x", "did you mean `quick search`?"),
            ("trials.count=0", "--set trials.count=0: `trials.count`: found 0"),
            ("nonsense", "KEY=VALUE"),
            ("scenario.power=nan", "a finite number"),
            ("nme=x", "did you mean `name`?"),
        ] {
            let message = one(setting).unwrap_err();
            assert!(message.contains(words), "{setting}: {message}");
        }
    }

    #[test]
    fn every_mistake_has_its_line_and_the_valid_names() {
        for (old, new, words) in [
            (
                "name = \"toy\"",
                "nam = \"toy\"",
                "e.toml:2: `nam`: found unknown name `nam`; allowed: did you mean `name`?",
            ),
            (
                "power = \"13 dB\"",
                "power = \"13 deg\"",
                "e.toml:6: `scenario.power`: found \"13 deg\"; allowed: a power",
            ),
            (
                "power = \"13 dB\"",
                "powr = 13",
                "e.toml:6: `scenario.powr`: found unknown name `powr`; allowed: did you mean `power`?",
            ),
            ("vertical = 1", "vertikal = 1", "e.toml:7: `scenario.array"),
            (
                "vertical = 1",
                "vertical = \"a\"",
                "e.toml:7: `scenario.array.vertical`: found \"a\"; allowed: a whole number",
            ),
            ("power = \"13 dB\"", "channels = 0", "e.toml:6: `scenario.channels`: found 0"),
            ("power = \"13 dB\"", "channels = nan", "e.toml:6: `scenario.channels`: found nan"),
            ("toy_for_tests", "toy_for_test", "e.toml:5: `scenario.type`: found unknown name"),
            ("[scenario]", "[scenaro]", "scenaro"),
            ("objective = \"efficiency\"", "objective = \"eficiency\"", "e.toml:10: `problem.objective`"),
            ("rate = { at_least", "rat = { at_least", "e.toml:11: `problem.constraints.rat`: found unknown name"),
            ("at_least = 0.01", "at_least = [1, 2]", "e.toml:11: `problem.constraints.rate.at_least`: found 2 limits"),
            ("at_least = 0.01", "at_last = 0.01", "did you mean `at_least`?"),
            ("max_iterations = 50", "max_iteration = 50", "e.toml:14: `stop.max_iteration`"),
            ("type = \"random_search\"", "type = \"randm_search\"", "e.toml:17: `solver[0].type`"),
            ("start = \"nothing\"", "strat = \"nothing\"", "e.toml:22: `solver[1].strat`"),
            (
                "start = \"nothing\"",
                "start = \"nothin\"",
                "e.toml:22: `solver[1].start`: found unknown name `nothin`; allowed: did you mean `nothing`?",
            ),
            (
                "label = \"quick search\"",
                "label = \"random_search\"",
                "e.toml:21: `solver[1].label`: found a second solver",
            ),
            ("sum_rate /", "sum_rat /", "e.toml:31: `metric[0].expression`"),
            ("name = \"efficiency\"", "name = \"sum_rate\"", "e.toml:29: `metric[0].name`"),
            ("[\"0 dB\", \"10 dB\"]", "[]", "e.toml:34: `sweep.\"scenario.power\"`: found an empty list"),
            (
                "[\"0 dB\", \"10 dB\"]",
                "[\"0 dB\", \"10 deg\"]",
                "e.toml:34: `sweep.\"scenario.power\"`: found \"10 deg\"",
            ),
            (
                "\"scenario.power\" =",
                "\"scenario.pover\" =",
                "e.toml:34: `sweep.\"scenario.pover\"`: found unknown name `pover`; allowed: did you mean `power`?",
            ),
            ("\"scenario.power\" =", "\"power\" =", "e.toml:34: `sweep.power`: found a sweep over `power`"),
            (
                "[1, 2, 3]\n\"sc",
                "[1, 2]\n\"sc",
                "e.toml:38: `sweep.zip[0].\"scenario.array.horizontal\"`: found 3 values",
            ),
            ("solver.quick search.max", "solver.quick.max", "did you mean `quick search`?"),
            ("count = 4", "count = 0", "e.toml:41: `trials.count`: found 0"),
            ("seed = 7", "sed = 7", "e.toml:42: `trials.sed`"),
            ("[trials]", "[figure]", "`figure`"),
        ] {
            assert!(GOOD.contains(old), "{old}");
            let message = parse(&GOOD.replacen(old, new, 1), &[]).unwrap_err();
            assert!(message.contains(words), "{new}: {message}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = GOOD
            .replace("power = \"13 dB\"", "powr = 1\nchannels = \"a\"")
            .replace("at_least = 0.01", "at_last = 3")
            .replace("count = 4", "count = -1")
            .replace("max_iterations = 5\n", "patience = 0\n");
        let message = parse(&text, &[]).unwrap_err();
        for key in ["scenario.powr", "scenario.channels", "rate.at_last", "trials.count", "solver[1].patience"] {
            assert!(message.contains(key), "no {key} in\n{message}");
        }
        assert_eq!(message.lines().count(), 5, "{message}");
        let none = parse("[scenario]\ntype = \"toy_for_tests\"\n", &[]).unwrap_err();
        assert_eq!(none.lines().count(), 1, "{none}");
        assert!(none.contains("no solver"), "{none}");
    }

    #[test]
    fn instance_files_are_the_trials() {
        let folder = tempfile::tempdir().unwrap();
        for (name, gains) in [("b", json!([1.0, 2.0])), ("a", json!([3.0]))] {
            let file = json!({
                "format": "isacopt-instance/1", "scenario": "toy_for_tests",
                "instance": { "gains": gains, "power": 4.0 },
                "designs": { "mine": { "communication_power": vec![1.0; gains.as_array().unwrap().len()] } }
            });
            std::fs::write(folder.path().join(format!("{name}.json")), file.to_string()).unwrap();
        }
        let config = folder.path().join("e.toml");
        let write = |text: &str| std::fs::write(&config, text).unwrap();
        write("instances = \"*.json\"\n[[solver]]\ntype = \"random_search\"\nstart = \"mine\"\n");
        let experiment = Experiment::read(&config, &[]).unwrap();
        assert_eq!(experiment.trials, 2);
        let cell = &experiment.cells[0];
        assert_eq!(cell.system.instance(0).unwrap().name, "a.json");
        let trial = cell.draw(1, 1).unwrap();
        assert_eq!(trial.problem.model().instance()["gains"], json!([1.0, 2.0]));
        assert_eq!(&trial.start("mine").unwrap()[..], [1.0, 1.0]);
        write(&experiment.to_toml());
        assert_eq!(Experiment::read(&config, &[]).unwrap().resolved, experiment.resolved);
        for (text, words) in [
            ("instances = \"*.jsn\"", "no such file"),
            ("instances = 3", "found 3"),
            ("instances = \"*.json\"\n[trials]\ncount = 3", "each file of `instances` is a trial"),
            ("instances = \"*.json\"\n[sweep]\n\"scenario.power\" = [1]", "stand in instance files"),
            ("instances = \"*.json\"\n[scenario]\ntype = \"toy_for_tests\"", "one of them"),
        ] {
            write(&format!("{text}\n[[solver]]\ntype = \"random_search\"\n"));
            let message = Experiment::read(&config, &[]).unwrap_err().to_string();
            assert!(message.contains(words), "{text}: {message}");
        }
        std::fs::write(folder.path().join("c.json"), "{\"format\": 3}").unwrap();
        write("instances = \"*.json\"\n[[solver]]\ntype = \"random_search\"\n");
        let message = Experiment::read(&config, &[]).unwrap_err().to_string();
        assert!(message.contains("c.json: `format`"), "{message}");
    }
}
