//! Figures for papers: their data are the study's, their files are what their endings say, mistakes are named.

use std::path::Path;
use std::process::Command;

use crate::synthetic::{self, Made};
use isacopt::report::{self, Distribution, Effort, Reduction, Study, Traces, simulated};
use isacopt::results::RunFolder;

const FORMATS: [&str; 5] = ["svg", "pdf", "png", "tex", "csv"];

fn isacopt() -> Command {
    Command::new(env!("CARGO_BIN_EXE_isacopt"))
}

/// A run folder with its figures.
fn drawn(made: &Made) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path());
    report::draw(folder.path()).unwrap();
    folder
}

fn study(folder: &Path) -> Study {
    Study::new(RunFolder::read(folder).unwrap())
}

/// The lines of a figure's data file, split; the head first.
fn rows(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(format!("figures/{name}.csv"))).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_string).collect()).collect()
}

/// The numbers in a column of the lines of one solver and series.
fn column(rows: &[Vec<String>], solver: &str, series: &str, at: usize) -> Vec<f64> {
    let kept = rows[1..].iter().filter(|row| row[0] == solver && row[1] == series);
    kept.map(|row| row[at].parse().unwrap_or(f64::NAN)).collect()
}

fn with(sections: &str) -> Made {
    Made { sections: sections.into(), monte_carlo: true, ..Made::usual() }
}

#[test]
fn the_data_of_every_figure_are_the_studys() {
    let folder = drawn(&with(
        "[[figure]]\nkind = \"sweep\"\nname = \"azimuth\"\nmetric = \"crlb_azimuth\"\n\
                              [[figure]]\nkind = \"sweep\"\nname = \"rate\"\nmetric = \"rate\"\nreduction = \"smallest\"\nstatistic = \"mean\"\n",
    ));
    let study = study(folder.path());
    let quantity = |id: &str| study.quantities.iter().find(|q| q.id == id).unwrap();
    let sca = 1;

    let data = rows(folder.path(), "azimuth");
    assert_eq!(
        data[0][2..],
        ["Transmit power (dB)", "CRLB azimuth (dB re 1 rad²)", "low", "high", "Root of CRLB azimuth (degrees)"]
    );
    assert_eq!(column(&data, "SCA", "value", 2), [-10.0, 0.0, 10.0, 20.0, 30.0]);
    let spread = |cell| study.spread(quantity("crlb_azimuth"), Reduction::Mean, cell, sca).unwrap();
    let decibels: Vec<f64> = (0..5).map(|cell| 10.0 * spread(cell).median.log10()).collect();
    assert_eq!(column(&data, "SCA", "value", 3), decibels);
    let high: Vec<f64> = (0..5).map(|cell| 10.0 * spread(cell).upper_quartile.log10()).collect();
    assert_eq!(column(&data, "SCA", "value", 5), high);
    let degrees = column(&data, "SCA", "value", 6);
    assert!((degrees[0].to_radians().powi(2) / spread(0).median - 1.0).abs() < 1e-12);
    // The estimators lie over their bound, with intervals of 1.96 standard errors.
    let errors = column(&data, "SCA", "MLE MSE", 3);
    for (error, bound) in errors.iter().zip(&decibels) {
        assert!((error - bound - 10.0 * 1.1f64.log10()).abs() < 1e-9);
    }
    let upper = column(&data, "SCA", "MLE MSE", 5);
    assert!((upper[0] - decibels[0] - 10.0 * (1.1 + 1.96 * 0.1f64).log10()).abs() < 1e-9);
    assert_eq!(column(&data, "SCA", "grid search MSE", 3).len(), 5);

    let data = rows(folder.path(), "rate");
    let smallest = study.spread(quantity("rate"), Reduction::Smallest, 2, sca).unwrap();
    assert_eq!(column(&data, "SCA", "value", 3)[2], smallest.mean);
    assert_eq!(column(&data, "SCA", "value", 5)[2], smallest.mean + smallest.standard_error);
    let monte_carlo = simulated(&study, quantity("rate"), Reduction::Smallest, 2, sca).unwrap();
    assert_eq!(column(&data, "SCA", "Monte-Carlo", 3)[2], monte_carlo.mean);
    assert!((monte_carlo.mean / smallest.mean - 1.01).abs() < 1e-9);

    let data = rows(folder.path(), "convergence");
    let cell = study.usual_cell();
    let band = Traces::read(&study, cell, sca).unwrap().objective(Effort::Iterations, 200);
    let kept: Vec<f64> = band.x.iter().zip(&band.middle).filter(|(x, _)| **x > 0.0).map(|(_, y)| *y).collect();
    assert_eq!(column(&data, "SCA", "value", 3), kept);
    assert_eq!(column(&data, "", "bound", 3)[0], study.median_bound(cell));

    let data = rows(folder.path(), "cdf");
    let found = Distribution::of(&study, quantity("rate"), cell, sca, 401).unwrap();
    assert_eq!(column(&data, "SCA", "5 % quantile and median", 2), [found.five_percent, found.median]);
    let shares = column(&data, "SCA", "value", 3);
    assert!(shares.windows(2).all(|w| w[0] <= w[1]) && shares.last() == Some(&1.0));

    let data = rows(folder.path(), "effort");
    let compared = study.folder.records.iter().filter(|r| r.solver == "SCA" && r.feasible).count();
    assert_eq!(column(&data, "SCA", "run", 2).len(), compared);

    let data = rows(folder.path(), "tradeoff");
    assert!(data[1..].iter().any(|row| row[1] == "nondominated"));
}

#[test]
fn files_are_what_their_endings_say_and_have_the_columns_width() {
    let folder = drawn(&with(
        "[[figure]]\nkind = \"cdf\"\nname = \"wide\"\nwidth = \"double\"\nheight = 3\nlegend = \"south_east\"\n",
    ));
    for name in
        ["convergence", "convergence-gap", "sweep", "sweep-crlb_azimuth", "sweep-rate", "tradeoff", "wide", "effort"]
    {
        let read = |ending: &str| std::fs::read(folder.path().join(format!("figures/{name}.{ending}"))).unwrap();
        let wide = name == "wide";
        let width = if wide { 7.16 } else { 3.5 };
        let svg = String::from_utf8(read("svg")).unwrap();
        assert!(
            svg.contains(&format!("<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{width}in\"")),
            "{name}"
        );
        well_formed(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        let png = read("png");
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!(number(16), if wide { 2148 } else { 1050 }, "{name}: pixels across");
        if wide {
            assert_eq!(number(20), 900);
        }
        let pdf = read("pdf");
        assert!(pdf.starts_with(b"%PDF-1.7") && pdf.ends_with(b"%%EOF"), "{name}");
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.contains(if wide { "/MediaBox [0 0 515.52 216]" } else { "/MediaBox [0 0 252 " }), "{name}");
        assert!(text.contains("/FontFile2") && pdf.len() < 100_000, "{name}: {} bytes", pdf.len());
        let tex = String::from_utf8(read("tex")).unwrap();
        assert_eq!(tex.matches("\\begin{").count(), tex.matches("\\end{").count(), "{name}");
        assert_eq!(
            tex.matches('{').count() - tex.matches("\\{").count(),
            tex.matches('}').count() - tex.matches("\\}").count()
        );
        assert!(tex.contains("\\addplot[") && tex.contains(&format!("width={width}in")), "{name}");
    }
    let captions = std::fs::read_to_string(folder.path().join("figures/captions.txt")).unwrap();
    assert!(captions.contains("sweep: Sum rate against transmit power"), "{captions}");
    assert!(captions.contains("MLE MSE: mean square error"), "{captions}");
}

/// Tags are closed in order, attributes are quoted, nothing is left open.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = xml.split_once("?>").unwrap().1;
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("every tag ends");
        assert!(!text.contains('&') || text.split('&').skip(1).all(|e| e.split_once(';').is_some()), "{text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn hostile_names_and_odd_runs_are_drawn() {
    let hostile = "</text>&\"'<x> 50 % #1 \\end{axis} _^~{} ∈ 电";
    let mut made = with("");
    made.solvers[1].0 = hostile.into();
    let folder = drawn(&made);
    let svg = std::fs::read_to_string(folder.path().join("figures/sweep.svg")).unwrap();
    well_formed(&svg);
    assert!(svg.contains("&lt;/text&gt;"));
    let tex = std::fs::read_to_string(folder.path().join("figures/sweep.tex")).unwrap();
    assert_eq!(tex.matches("\\end{axis}").count(), 1, "a name does not end the axis");
    let named = ["zf", "mrt", &"a long name ".repeat(20)].map(|p| synthetic::one("scenario.precoder", p)).into();
    drawn(&Made { sweeps: named, ..Made::usual() });
    drawn(&Made { sweeps: vec![serde_json::Map::new()], trials: 1, users: 1, ..Made::usual() });
    let empty = drawn(&Made { feasible: |_, _, _| false, ..Made::usual() });
    assert!(!empty.path().join("figures").exists(), "there is nothing to draw");
}

#[test]
fn plot_draws_again_what_a_file_asks_for_and_names_its_mistakes() {
    let folder = drawn(&Made::usual());
    let out = folder.path().join("paper");
    let file = folder.path().join("f.toml");
    let plot = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let command =
            isacopt().arg("plot").arg(folder.path()).arg("--figure").arg(&file).arg("--out").arg(&out).output();
        let command = command.unwrap();
        (command.status.code(), String::from_utf8(command.stderr).unwrap())
    };
    let good = "[[figure]]\nkind = \"sweep\"\nname = \"rates\"\nsolvers = [\"CMA-ES\", \"exact\"]\n\
                labels = { exact = \"Optimum\" }\nx_range = [0, 20]\ny_label = \"Rate (bit/s/Hz)\"\n";
    assert_eq!(plot(good), (Some(0), String::new()));
    let mut names: Vec<String> =
        std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected: Vec<String> = FORMATS.iter().map(|f| format!("rates.{f}")).collect();
    expected.push("captions.txt".into());
    expected.sort();
    assert_eq!(names, expected);
    let svg = std::fs::read_to_string(out.join("rates.svg")).unwrap();
    assert!(svg.contains(">Optimum<") && svg.contains(">CMA-ES<") && !svg.contains(">SCA<"));
    assert!(svg.find(">CMA-ES<").unwrap() < svg.find(">Optimum<").unwrap(), "in the order asked for");
    assert!(svg.contains(">Rate (bit/s/Hz)<") && !svg.contains(">30<") && svg.contains(">20<"));
    for (line, words) in [
        (
            "metric = \"sum_rat\"",
            "f.toml:3: `figure[0].metric`: found unknown name `sum_rat`; allowed: did you mean `sum_rate`?",
        ),
        (
            "solvers = [\"SCB\"]",
            "f.toml:3: `figure[0].solvers`: found unknown name `SCB`; allowed: did you mean `SCA`?",
        ),
        ("against = \"scenario.transmit_pover\"", "did you mean `scenario.transmit_power`?"),
        (
            "at = { \"scenario.transmit_power\" = \"7 dB\" }",
            "f.toml:3: `figure[0].at`: found scenario.transmit_power = 7 dB",
        ),
        (
            "y_scale = \"degrees\"",
            "f.toml:3: `figure[0].y_scale`: found `degrees`; allowed: a scale of that axis: linear, log",
        ),
        ("wdith = 3", "f.toml:3: `figure[0].wdith`: found unknown name `wdith`; allowed: did you mean `width`?"),
    ] {
        let (code, message) = plot(&format!("[[figure]]\nkind = \"sweep\"\n{line}\n"));
        assert_eq!(code, Some(2), "{line}: {message}");
        assert!(message.contains(words), "{line}: {message}");
    }
    let (code, message) = plot("[figures]\nkind = \"sweep\"\n");
    assert!(code == Some(2) && message.contains("did you mean `figure`?"), "{message}");
}

#[test]
fn cite_prints_bibtex_of_the_program_the_paper_and_the_solvers() {
    let folder = tempfile::tempdir().unwrap();
    Made::usual().write(folder.path());
    let output = isacopt().arg("cite").arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut keys = Vec::new();
    for entry in text.split("\n\n") {
        let (head, fields) = entry.trim().split_once(",\n").unwrap();
        let (kind, key) = head.strip_prefix('@').unwrap().split_once('{').unwrap();
        assert!(["software", "article", "book", "inproceedings", "misc"].contains(&kind), "{kind}");
        keys.push(key.to_string());
        let body = fields.strip_suffix("\n}").unwrap();
        for field in body.lines() {
            let (name, value) = field.trim().split_once(" = {").unwrap();
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{field}");
            let value = value.strip_suffix("},").unwrap();
            assert_eq!(value.matches('{').count(), value.matches('}').count(), "{field}");
        }
        assert!(body.contains("author = {") && body.contains("title = {{"), "{entry}");
    }
    let expected = [
        "isacopt",
        "nguyen-massive-mimo-isac",
        "marks-wright-1978",
        "scutari-2017",
        "sun-babu-palomar-2017",
        "varadhan-roland-2008",
        "nocedal-wright-2006",
        "hansen-ostermeier-2001",
        "hansen-2009",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn pgfplots_files_compile_where_latex_is() {
    let works = Command::new("kpsewhich").arg("pgfplots.sty").output().is_ok_and(|o| o.status.success());
    if !works {
        eprintln!("skipped: there is no LaTeX with PGFPlots (Debian: apt-get install texlive-pictures)");
        return;
    }
    let mut made = with("[[figure]]\nkind = \"sweep\"\nname = \"named\"\nlegend = \"north_west\"\n");
    made.solvers[1].0 = "50 % #1 \\end{axis} _^~{} & more".into();
    let folder = drawn(&made);
    let figures = folder.path().join("figures");
    let mut text = String::from(
        "\\documentclass{IEEEtran}\n\\usepackage{pgfplots}\n\\pgfplotsset{compat=1.16}\n\\begin{document}\n",
    );
    if !Command::new("kpsewhich").arg("IEEEtran.cls").output().is_ok_and(|o| o.status.success()) {
        text = text.replace("IEEEtran", "article");
    }
    for entry in std::fs::read_dir(&figures).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "tex") {
            text += &format!("\\input{{{}}}\n\n", path.file_name().unwrap().to_str().unwrap());
        }
    }
    std::fs::write(figures.join("paper.tex"), text + "\\end{document}\n").unwrap();
    let output = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "paper.tex"])
        .current_dir(&figures)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", &log[log.len().saturating_sub(3000)..]);
    // To look at: `ISACOPT_FIGURES=DIR cargo test --test program pgfplots`.
    if let Ok(target) = std::env::var("ISACOPT_FIGURES") {
        std::fs::copy(figures.join("paper.pdf"), Path::new(&target).join("paper.pdf")).unwrap();
    }
}
