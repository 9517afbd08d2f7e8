//! Instance files between programs, bit for bit: JSON, NumPy's `.npz`, MATLAB's `.mat`, and `python/isacopt.py`.
//!
//! Some tests need Python 3 with NumPy, SciPy and pandas (Debian: `apt-get install python3-numpy python3-scipy
//! python3-pandas`; another interpreter by `ISACOPT_PYTHON`), or Octave (`apt-get install octave`). They are skipped with
//! a message where these are missing, unless `ISACOPT_REQUIRE_PYTHON` or `ISACOPT_REQUIRE_OCTAVE` is set.

use std::path::{Path, PathBuf};
use std::process::Command;

use isacopt::RandomStream;
use isacopt::instance::InstanceFile;
use serde_json::{Map, Value, json};

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("ISACOPT", env!("CARGO_BIN_EXE_isacopt"))
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn isacopt(arguments: &[&str], folder: &Path) -> Result<String, String> {
    run(env!("CARGO_BIN_EXE_isacopt"), arguments, folder)
}

/// An interpreter that can import some packages; none where the test is to be skipped.
fn python(packages: &str) -> Option<String> {
    let name = std::env::var("ISACOPT_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = run(&name, &["-c", &format!("import {packages}")], Path::new("."));
    if let Err(why) = &found {
        assert!(std::env::var_os("ISACOPT_REQUIRE_PYTHON").is_none(), "no {name} with {packages}: {why}");
        eprintln!(
            "skipped: no {name} with {packages} (Debian: apt-get install python3-numpy python3-scipy python3-pandas)"
        );
    }
    found.ok().map(|_| name)
}

fn octave() -> Option<&'static str> {
    let found = run("octave-cli", &["--version"], Path::new("."));
    if found.is_err() {
        assert!(std::env::var_os("ISACOPT_REQUIRE_OCTAVE").is_none(), "no octave-cli");
        eprintln!("skipped: no octave-cli (Debian: apt-get install octave)");
    }
    found.ok().map(|_| "octave-cli")
}

fn random(shape: &[usize], stream: &mut RandomStream) -> Value {
    match shape {
        [] => {
            // All magnitudes, so that every bit counts.
            let exponent = (600.0 * (stream.uniform() - 0.5)) as i32;
            json!(stream.normal() * 2f64.powi(exponent))
        }
        [length, rest @ ..] => (0..*length).map(|_| random(rest, stream)).collect(),
    }
}

/// A file with everything that the scenarios' formats have: complex arrays of three dimensions, nulls, one-row shapes,
/// texts, whole numbers, nested objects, designs with all kinds of names.
fn rich(names: &[&str], description: &str) -> InstanceFile {
    let mut stream = RandomStream::keyed(7, "test", "interchange", 0, 0);
    let complex = |shape: &[usize], stream: &mut RandomStream| {
        let (re, im) = (random(shape, stream), random(shape, stream));
        json!({ "re": re, "im": im })
    };
    let instance = json!({
        "precoder": "zf",
        "arrays": { "transmit": { "horizontal": 5, "vertical": 3 }, "spacing_wavelengths": 0.5 },
        "channel": complex(&[2, 3, 4], &mut stream),
        "one_row": complex(&[1, 4], &mut stream),
        "one_entry": complex(&[1, 1, 1], &mut stream),
        "reflection": complex(&[], &mut stream),
        "fading": random(&[3, 2], &mut stream),
        "column": random(&[4, 1], &mut stream),
        "tall": random(&[2, 1, 3], &mut stream),
        "vector": random(&[5], &mut stream),
        "extremes": [5e-324, -0.0, f64::MAX, 0.1, 1.0 / 3.0],
        "limits": [1.5, null, 2.5],
        "single": 0.1,
        "levels": [0, 3, 1, 2],
        "length": 30,
    });
    let mut designs = Map::new();
    for name in names {
        let beam = complex(&[2, 2, 3], &mut stream);
        designs.insert((*name).into(), json!({ "power": random(&[2], &mut stream), "beam": beam }));
    }
    let file = json!({ "format": "isacopt-instance/1", "scenario": "rich", "description": description,
        "instance": instance, "designs": designs });
    InstanceFile::from_tree(file).unwrap()
}

/// Every number with its place, dimensions of 1 left out: what the formats keep.
fn leaves(value: &Value) -> Vec<(String, Value)> {
    fn shape(value: &Value) -> Vec<usize> {
        match value {
            Value::Array(items) => {
                [items.len()].into_iter().chain(items.first().map(shape).unwrap_or_default()).collect()
            }
            _ => Vec::new(),
        }
    }
    fn entries(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| entries(item, out)),
            Value::Number(x) => out.push(format!("{:016x}", x.as_f64().unwrap().to_bits())),
            other => out.push(other.to_string()),
        }
    }
    fn walk(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(k, v)| walk(v, &format!("{path}/{k}"), out)),
            other => {
                let mut all = Vec::new();
                entries(other, &mut all);
                let shape: Vec<usize> = shape(other).into_iter().filter(|n| *n != 1).collect();
                out.push((path.to_string(), json!([shape, all])));
            }
        }
    }
    let mut out = Vec::new();
    walk(value, "", &mut out);
    out
}

const PLAIN: [&str; 2] = ["first", "second_1"];
const ODD: [&str; 4] = ["half power", "0.5 of it", "größer als", "x/y"];

fn write_all(folder: &Path, names: &[&str], description: &str) -> InstanceFile {
    let file = rich(names, description);
    for name in ["rich.json", "rich.npz", "rich.mat"] {
        file.write(&folder.join(name)).unwrap();
    }
    file
}

fn assert_same(path: &Path, file: &InstanceFile) {
    let read = InstanceFile::read(path).unwrap_or_else(|e| panic!("{e}"));
    let (mut own, mut other) = (leaves(&file.to_json()), leaves(&read.to_json()));
    own.sort_by(|a, b| a.0.cmp(&b.0));
    other.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(other, own, "{}", path.display());
}

#[test]
fn every_form_reads_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for names in [&PLAIN[..], &ODD, &ODD[..1], &[]] {
        let file = write_all(folder.path(), names, "an \"étude\" of 4 × 4");
        for name in ["rich.json", "rich.npz", "rich.mat"] {
            assert_same(&folder.path().join(name), &file);
            let order: Vec<String> =
                InstanceFile::read(&folder.path().join(name)).unwrap().designs.keys().cloned().collect();
            assert_eq!(order, names, "a trace keeps its order");
        }
    }
    // What a file is, its first bytes say: a pipe has no name.
    std::fs::copy(folder.path().join("rich.mat"), folder.path().join("nameless")).unwrap();
    assert!(InstanceFile::read(&folder.path().join("nameless")).is_ok());
}

#[test]
fn damaged_files_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file = write_all(folder.path(), &PLAIN, "damage");
    let mut stream = RandomStream::keyed(3, "test", "damage", 0, 0);
    for name in ["rich.npz", "rich.mat"] {
        let whole = std::fs::read(path(name)).unwrap();
        let spoiled = path(&format!("spoiled-{name}"));
        for part in 0..60 {
            let cut = whole.len() * part / 60;
            std::fs::write(&spoiled, &whole[..cut]).unwrap();
            // A .mat file that ends between two variables lacks keys; one that ends inside a variable is broken.
            let read = InstanceFile::read(&spoiled);
            if let Ok(read) = read {
                assert!(read.designs.is_empty(), "{name} cut at {cut}");
            }
        }
        for _ in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..1 + (3.0 * stream.uniform()) as usize {
                let at = (bytes.len() as f64 * stream.uniform()) as usize;
                bytes[at] = (256.0 * stream.uniform()) as u8;
            }
            std::fs::write(&spoiled, bytes).unwrap();
            if let Err(error) = InstanceFile::read(&spoiled) {
                assert_eq!(error.exit_code(), 2);
                assert!(error.to_string().contains("spoiled"), "{error}");
            }
        }
    }
    // Uncompressed .mat variables are parsed byte by byte: damage goes deep.
    let inner = uncompressed(&std::fs::read(path("rich.mat")).unwrap());
    std::fs::write(path("v6.mat"), &inner).unwrap();
    assert_same(&path("v6.mat"), &file);
    for _ in 0..600 {
        let mut bytes = inner.clone();
        let at = 128 + ((bytes.len() - 128) as f64 * stream.uniform()) as usize;
        bytes[at] = if stream.uniform() < 0.3 { 0xff } else { (256.0 * stream.uniform()) as u8 };
        bytes.truncate(bytes.len() - (stream.uniform() * 64.0) as usize);
        std::fs::write(path("spoiled.mat"), bytes).unwrap();
        let _ = InstanceFile::read(&path("spoiled.mat"));
    }
    for (name, bytes, word) in [
        ("a.mat", b"\x89HDF\r\n\x1a\n".to_vec(), "-v7"),
        ("b.mat", b"MATLAB 7.3 MAT-file".to_vec(), "-v7"),
        ("c.mat", b"# Created by Octave".to_vec(), "-v7"),
        ("d.npz", b"PK\x05\x06".to_vec(), "ZIP"),
        ("e.npz", b"{}".to_vec(), "numpy.savez"),
        ("f.npz", b"PK\x03\x04 and no more".to_vec(), "cut off"),
        ("g.json", b"\x93NUMPY\x01\x00".to_vec(), "numpy.savez"),
        ("h.mat", inner[..128].to_vec(), "format"),
    ] {
        std::fs::write(path(name), bytes).unwrap();
        let message = InstanceFile::read(&path(name)).unwrap_err().to_string();
        assert!(message.contains(word) && message.contains(name), "{message}");
    }
}

/// A `.mat` file with its variables taken out of their compression, as `save -v6` writes it.
fn uncompressed(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes[..128].to_vec();
    let mut at = 128;
    while at < bytes.len() {
        let size = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        std::io::copy(&mut flate2::read::ZlibDecoder::new(&bytes[at + 8..at + 8 + size]), &mut out).unwrap();
        at += 8 + size;
    }
    out
}

/// A drawn monostatic file with a design, in all forms; what `evaluate` says of it.
fn drawn(folder: &Path, users: usize) -> String {
    let config = format!(
        "[scenario]\ntype = \"monostatic\"\nusers = {users}\nuser_weights = {:?}\nsensing_misalignment = \"3 deg\"\n\
         [[solver]]\ntype = \"exact\"\n",
        vec![0.7; users]
    );
    std::fs::write(folder.join("c.toml"), config).unwrap();
    isacopt(&["draw", "c.toml", "--out", "bare.json"], folder).unwrap();
    let mut file = InstanceFile::read(&folder.join("bare.json")).unwrap();
    let mine = json!({ "communication_power": vec![0.1; users], "sensing_power": 0.3 });
    file.designs.insert("mine".into(), mine);
    for name in ["drop.json", "drop.npz", "drop.mat"] {
        file.write(&folder.join(name)).unwrap();
    }
    let said = isacopt(&["evaluate", "drop.json", "--json"], folder).unwrap();
    for name in ["drop.npz", "drop.mat"] {
        assert_eq!(isacopt(&["evaluate", name, "--json"], folder).unwrap(), said);
    }
    said
}

#[test]
fn the_program_takes_and_writes_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for users in [1, 3] {
        let said = drawn(here, users);
        assert!(said.contains("\"mine\""));
    }
    isacopt(&["draw", "c.toml", "--out", "drops.npz", "--count", "11"], here).unwrap();
    isacopt(&["draw", "c.toml", "--trial", "7", "--out", "seventh.mat"], here).unwrap();
    let read = |name: &str| InstanceFile::read(&here.join(name)).unwrap();
    assert_eq!(leaves(&read("drops-07.npz").instance), leaves(&read("seventh.mat").instance));
    assert!(here.join("drops-10.npz").exists() && !here.join("drops-11.npz").exists());
    assert!(isacopt(&["draw", "c.toml", "--count", "2"], here).unwrap_err().contains("--out"));
    // Answers go out in every form, and come back as recorded designs; instances = "*.npz" are trials.
    let mut config = "instances = \"drops-0[0-2].npz\"\n[[solver]]\ntype = \"exact\"\n".to_string();
    for (i, out) in ["answer.json", "answer.npz", "answer.mat"].iter().enumerate() {
        isacopt(&["solve", "drops-00.npz", "--solver", "exact", "--out", out], here).unwrap();
        config += &format!("[[solver]]\ntype = \"recorded\"\nlabel = \"r{i}\"\nfile = \"{out}\"\n");
    }
    std::fs::write(here.join("q.toml"), config).unwrap();
    isacopt(&["run", "q.toml", "--out", "run"], here).unwrap();
    let results = std::fs::read_to_string(here.join("run/results.jsonl")).unwrap();
    let records: Vec<Value> = results.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(records.len(), 12);
    let first: Vec<&Value> = records.iter().filter(|r| r["trial"] == 0).collect();
    assert!(first.iter().all(|r| r["objective"] == first[0]["objective"] && r["instance"] == "drops-00.npz"));
}

#[test]
fn numpy_reads_and_writes_the_same_bits() {
    let Some(python) = python("numpy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = write_all(folder.path(), &ODD, "an étude");
    let said = drawn(folder.path(), 3);
    let script = r#"
import json, sys, numpy as np
tree = json.load(open("rich.json"))
data = dict(np.load("rich.npz"))
def at(key):
    name = key.split(".")
    if name[0] == "designs": name = ["designs", ".".join(name[1:-1]), name[-1]]
    value = tree
    for part in name: value = value[part]
    return value
seen = 0
for key, array in data.items():
    value = at(key)
    if isinstance(value, dict):
        want = np.empty(array.shape, complex); want.real = value["re"]; want.imag = value["im"]
    elif isinstance(value, str):
        assert str(array) == value; continue
    else:
        want = np.array(value, dtype=float); array = array.astype(float)
    assert want.shape == array.shape and want.tobytes() == array.tobytes(), key
    seen += array.size
assert seen > 100, seen
def odd(array):
    if array.ndim >= 2: return np.asfortranarray(array)
    if array.dtype == np.float64: return array.astype(">f8")
    if array.dtype == np.complex128: return array.astype(">c16")
    return array
np.savez_compressed("back.npz", **{key: odd(array) for key, array in data.items()})
drop = dict(np.load("drop.npz"))
drop["instance.large_scale_fading"] = drop["instance.large_scale_fading"].reshape(-1, 1)
drop["designs.mine.communication_power"] = drop["designs.mine.communication_power"].reshape(1, -1)
drop["instance.pilot_index"] = drop["instance.pilot_index"].astype(np.uint8)
np.savez("drop2.npz", **drop)
np.savez("bad.npz", **{**drop, "instance.transmit_power": np.nan})
np.savez("pickled.npz", **{**drop, "instance.transmit_power": np.array(None)})
"#;
    std::fs::write(folder.path().join("s.py"), script).unwrap();
    run(&python, &["s.py"], folder.path()).unwrap_or_else(|e| panic!("{e}"));
    assert_same(&folder.path().join("back.npz"), &file);
    assert_eq!(isacopt(&["evaluate", "drop2.npz", "--json"], folder.path()).unwrap(), said);
    let bad = isacopt(&["evaluate", "bad.npz"], folder.path()).unwrap_err();
    assert!(bad.contains("bad.npz") && bad.contains("transmit_power"), "{bad}");
    let pickled = isacopt(&["evaluate", "pickled.npz"], folder.path()).unwrap_err();
    assert!(pickled.contains("Python objects") && pickled.contains("transmit_power"), "{pickled}");
}

#[test]
fn scipy_reads_and_writes_the_same_bits() {
    let Some(python) = python("numpy, scipy") else { return };
    for names in [&PLAIN[..], &ODD] {
        let folder = tempfile::tempdir().unwrap();
        let file = write_all(folder.path(), names, "an étude");
        let said = drawn(folder.path(), 3);
        let script = r#"
import json, numpy as np
from scipy.io import loadmat, savemat
tree = json.load(open("rich.json"))["instance"]
data = {k: v for k, v in loadmat("rich.mat", simplify_cells=True, uint16_codec="utf-16-le").items() if not k.startswith("__")}
mine = data["instance"]
want = np.array(tree["channel"]["re"]) + 1j * np.array(tree["channel"]["im"])
assert mine["channel"].shape == (2, 3, 4) and mine["channel"].tobytes() == want.tobytes()
assert np.array(tree["fading"]).tobytes() == np.ascontiguousarray(mine["fading"]).tobytes()
assert np.array(tree["extremes"]).tobytes() == mine["extremes"].tobytes()
assert mine["single"] == 0.1 and mine["precoder"] == "zf" and data["description"] == "an étude"
for name, packed in [("back.mat", True), ("plain.mat", False)]:
    savemat(name, data, do_compression=packed, oned_as="row")
drop = {k: v for k, v in loadmat("drop.mat", simplify_cells=True, uint16_codec="utf-16-le").items() if not k.startswith("__")}
savemat("drop2.mat", drop)
"#;
        std::fs::write(folder.path().join("s.py"), script).unwrap();
        run(&python, &["s.py"], folder.path()).unwrap_or_else(|e| panic!("{e}"));
        for name in ["back.mat", "plain.mat"] {
            assert_same(&folder.path().join(name), &file);
        }
        assert_eq!(isacopt(&["evaluate", "drop2.mat", "--json"], folder.path()).unwrap(), said);
    }
}

#[test]
fn octave_reads_and_writes_the_same_bits() {
    let Some(octave) = octave() else { return };
    for names in [&PLAIN[..], &["half power", "0.5 of it"]] {
        let folder = tempfile::tempdir().unwrap();
        let file = write_all(folder.path(), names, "a study");
        let said = drawn(folder.path(), 3);
        let script = r#"
S = load("rich.mat");
save("-v7", "back.mat", "-struct", "S");
save("-v6", "plain.mat", "-struct", "S");
c = S.instance.channel;
printf("%s %s\n", num2hex(real(c(2, 3, 1))), num2hex(imag(c(1, 2, 4))));
printf("%s\n", num2hex(S.instance.fading(3, 1)));
assert(strcmp(S.instance.precoder, "zf") && isequal(size(c), [2 3 4]));
D = load("drop.mat");
D.instance.large_scale_fading = D.instance.large_scale_fading.';
D.instance.pilot_index = int32(D.instance.pilot_index);
D.instance.sensing_noise_power = D.instance.sensing_noise_power;
save("-v7", "drop2.mat", "-struct", "D");
D.instance.target_reflection = "no number";
save("-v7", "bad.mat", "-struct", "D");
"#;
        std::fs::write(folder.path().join("s.m"), script).unwrap();
        let printed = run(octave, &["-q", "--no-history", "s.m"], folder.path()).unwrap_or_else(|e| panic!("{e}"));
        let hex = |x: &Value| format!("{:016x}", x.as_f64().unwrap().to_bits());
        let (channel, fading) = (&file.instance["channel"], &file.instance["fading"]);
        let expected =
            format!("{} {}\n{}\n", hex(&channel["re"][1][2][0]), hex(&channel["im"][0][1][3]), hex(&fading[2][0]));
        assert_eq!(printed, expected);
        for name in ["back.mat", "plain.mat"] {
            assert_same(&folder.path().join(name), &file);
        }
        assert_eq!(isacopt(&["evaluate", "drop2.mat", "--json"], folder.path()).unwrap(), said);
        let bad = isacopt(&["evaluate", "bad.mat"], folder.path()).unwrap_err();
        assert!(bad.contains("bad.mat") && bad.contains("target_reflection"), "{bad}");
    }
}

#[test]
fn the_python_module_drives_the_program() {
    let Some(python) = python("numpy, pandas") else { return };
    let folder = tempfile::tempdir().unwrap();
    drawn(folder.path(), 3);
    let script = include_str!("interchange.py");
    let script_path: PathBuf = folder.path().join("s.py");
    std::fs::write(&script_path, script).unwrap();
    let said = run(&python, &["s.py"], folder.path()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(said.trim(), "fine");
}

/// Channels from the paths of a ray tracer go in, a design comes out, and is what the channels say.
#[test]
fn the_ray_tracing_example_gives_a_design() {
    let Some(python) = python("numpy") else { return };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/examples");
    let script = "import numpy, ray_tracing\n\
        system, answer = ray_tracing.main('paths.csv')\n\
        assert answer['feasible'] and answer['metrics']['max_crlb_direction'] < 1e-4\n\
        by_hand = ray_tracing.sinr(system, answer['design'])\n\
        numpy.testing.assert_allclose(by_hand, answer['metrics']['sinr'], rtol=1e-9)\n\
        assert by_hand.min() > 9.9999 and system['base_station_irs_channel'].shape == (2, 8, 8)\n\
        print('fine')";
    let said = run(&python, &["-B", "-c", script], &examples).unwrap_or_else(|e| panic!("{e}"));
    assert!(said.ends_with("fine\n") && said.starts_with("20 paths; "), "{said}");
}

/// 24 runs in `run`.
fn small_study(here: &Path) {
    let config = "[scenario]\ntype = \"monostatic\"\ntransmit = { horizontal = 4, vertical = 4 }\n\
        receive = { horizontal = 3, vertical = 3 }\nusers = 4\ncrlb_azimuth_limit = \"4 deg\"\n\
        crlb_elevation_limit = \"4 deg\"\n\n[[solver]]\ntype = \"random_search\"\n\
        max_evaluations = 500\n\n[[solver]]\ntype = \"exact\"\n\n[sweep]\n\
        \"scenario.transmit_power\" = [100.0, 300.0]\n\"scenario.precoder\" = [\"mrt\", \"zf\"]\n\n[trials]\ncount = 3\n";
    std::fs::write(here.join("e.toml"), config).unwrap();
    isacopt(&["run", "e.toml", "--out", "run"], here).unwrap();
}

#[test]
fn tables_open_in_octave() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_study(here);
    for format in ["mat", "csv"] {
        isacopt(&["export", "run", "--format", format, "--out", "tables"], here).unwrap();
    }
    let Some(octave) = octave() else { return };
    let script = r#"
# Octave reads the numbers of texts to a rounding or two.
near = @(x, y) all(abs(x - y) <= 4 * eps * abs(y));
runs = load("tables/runs.mat");
lines = strsplit(strtrim(fileread("run/results.jsonl")), "\n");
assert(numel(lines) == 24 && numel(runs.run) == 24 && iscellstr(runs.run) && islogical(runs.feasible));
for i = 1:24
  record = jsondecode(lines{i});
  assert(strcmp(runs.run{i}, record.run) && strcmp(runs.solver{i}, record.solver));
  assert(near(runs.value(i), record.objective.value) && runs.feasible(i) == record.feasible);
  assert(near(runs.bound(i), record.bound) && isempty(runs.bound_scope{i}));
  assert(runs.sweep_scenario_transmit_power(i) == record.sweep.scenario_transmit_power);
  assert(strcmp(runs.sweep_scenario_precoder{i}, record.sweep.scenario_precoder));
end
metrics = load("tables/metrics.mat");
own = strcmp(metrics.metric, "rate") & strcmp(metrics.run, jsondecode(lines{6}).run);
assert(sum(own) == 4 && near(metrics.value(own), jsondecode(lines{6}).metrics.rate.value));
assert(isequal(metrics.entry(own), (0:3)') && all(isnan(metrics.entry(strcmp(metrics.metric, "sum_rate")))));
trace = load("tables/trace.mat");
assert(numel(trace.objective) == sum(runs.iterations + 1));
file = fopen("tables/trace.csv");
names = strsplit(fgetl(file), ",");
columns = textscan(file, "%s %f %f %s %f %f %f %f %f %f", "Delimiter", ",", "EmptyValue", NaN);
fclose(file);
assert(near(columns{strcmp(names, "objective")}, trace.objective) && isequal(columns{1}, trace.run));
for i = 1:24
  printf("%s\n", num2hex(runs.value(i)));
end
"#;
    std::fs::write(here.join("s.m"), script).unwrap();
    let said = run(octave, &["-q", "--no-history", "s.m"], here).unwrap_or_else(|e| panic!("{e}"));
    let results = std::fs::read_to_string(here.join("run/results.jsonl")).unwrap();
    let bits = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        format!("{:016x}\n", record["objective"]["value"].as_f64().unwrap().to_bits())
    };
    assert_eq!(said, results.lines().map(bits).collect::<String>());
}

#[test]
fn tables_open_in_polars() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_study(here);
    for format in ["parquet", "csv", "jsonl"] {
        isacopt(&["export", "run", "--format", format, "--out", "tables"], here).unwrap();
    }
    // The three formats hold the same, whoever reads them.
    let csv = std::fs::read_to_string(here.join("tables/runs.csv")).unwrap();
    let lines = std::fs::read_to_string(here.join("tables/runs.jsonl")).unwrap();
    assert_eq!((csv.lines().count(), lines.lines().count()), (25, 24));
    assert!(csv.lines().next().unwrap().ends_with("processor,sweep.scenario.precoder,sweep.scenario.transmit_power"));
    assert_eq!(&std::fs::read(here.join("tables/trace.parquet")).unwrap()[..4], b"PAR1");
    let Some(python) = python("polars") else { return };
    let script = r#"
import json, polars
runs = polars.read_parquet("tables/runs.parquet")
records = [json.loads(line) for line in open("run/results.jsonl")]
assert runs.height == len(records) == 24
assert runs["value"].to_list() == [r["objective"]["value"] for r in records]
assert runs["bound"].to_list() == [r["bound"] for r in records]
assert runs["feasible"].to_list() == [r["feasible"] for r in records]
assert runs["reason"].to_list() == [r["reason"] for r in records]
assert runs["bound_scope"].null_count() == 24
assert runs["iterations"].dtype == polars.Int64 and runs["time_s"].dtype == polars.Float64
assert runs["sweep.scenario.transmit_power"].to_list() == [r["sweep"]["scenario.transmit_power"] for r in records]
assert runs["sweep.scenario.precoder"].to_list() == [r["sweep"]["scenario.precoder"] for r in records]
metrics = polars.read_parquet("tables/metrics.parquet")
rates = metrics.filter((polars.col("metric") == "rate") & (polars.col("run") == records[5]["run"]))
assert rates["value"].to_list() == records[5]["metrics"]["rate"]["value"]
assert rates["entry"].to_list() == [0, 1, 2, 3]
assert metrics.filter(polars.col("metric") == "sum_rate")["entry"].null_count() == 24
trace = polars.read_parquet("tables/trace.parquet")
assert trace.group_by("run", "cell").len().height == 24
assert trace.height == sum(r["iterations"] + 1 for r in records)
text = polars.read_csv("tables/metrics.csv", infer_schema_length=None)
assert text["value"].to_list() == metrics["value"].to_list()
assert polars.read_ndjson("tables/trace.jsonl")["objective"].to_list() == trace["objective"].to_list()
print("fine")
"#;
    assert_eq!(run(&python, &["-c", script], here).unwrap(), "fine\n");
}
