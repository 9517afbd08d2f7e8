//! A panic becomes a status and a message: it never leaves an exported function.

use isacopt_plugin::abi::{self, Message, System};
use isacopt_plugin::{Direction, Host, Measured, Metric, Result, Solver, Step};

/// Panics.
#[derive(Default, isacopt_plugin::Deserialize, isacopt_plugin::JsonSchema)]
#[serde(crate = "isacopt_plugin::serde", default, deny_unknown_fields)]
#[schemars(crate = "isacopt_plugin::schemars")]
struct Panics {
    /// Nothing.
    rate: f64,
}

impl Solver for Panics {
    const NAME: &'static str = "panics";
    type State = ();
    fn begin(&self, _: &mut Host, _: Option<&[f64]>) -> Result<()> {
        Ok(())
    }
    fn step(&self, (): &mut (), _: &mut Host) -> Result<Step> {
        panic!("no step")
    }
    fn best<'a>(&self, (): &'a ()) -> &'a [f64] {
        &[]
    }
}

struct Thrower;

impl Metric for Thrower {
    const NAME: &'static str = "thrower";
    const UNIT: &'static str = "1";
    const DIRECTION: Option<Direction> = None;
    const DESCRIPTION: &'static str = "";
    const NEEDS: &'static [&'static str] = &[];
    fn begin(_: &isacopt_plugin::System) -> Result<Self> {
        Ok(Self)
    }
    fn value(&self, design: &[f64], _: &Measured) -> Result<f64> {
        assert!(design[0] > 0.0, "not {} ä", design[0]);
        Ok(design[0])
    }
}

isacopt_plugin::plugin! { solvers: [Panics], metrics: [Thrower] }

fn said(call: impl FnOnce(*mut Message) -> abi::Status, capacity: usize) -> (abi::Status, String) {
    let mut room = vec![0; capacity];
    let mut message = Message { data: room.as_mut_ptr(), capacity, length: 0 };
    let status = call(&raw mut message);
    (status, String::from_utf8(room[..message.length].to_vec()).expect("UTF-8"))
}

#[test]
fn panics_and_misuse_are_answered() {
    let table = unsafe { &*isacopt_plugin() };
    assert_eq!((table.abi_version, table.struct_size), (abi::ABI_VERSION, size_of::<abi::Plugin>()));
    assert!(std::ptr::eq(table, isacopt_plugin()));
    let manifest = unsafe { std::slice::from_raw_parts(table.manifest.data, table.manifest.length) };
    let manifest: serde_json::Value = serde_json::from_slice(manifest).expect("JSON");
    assert_eq!(manifest["solvers"][0]["parameters"]["properties"]["rate"]["default"], 0.0);
    assert_eq!(manifest["metrics"][0]["name"], "thrower");

    let system = System {
        struct_size: size_of::<System>(),
        block_size: size_of::<abi::Block>(),
        blocks: std::ptr::null(),
        block_count: 0,
        coordinates: 1,
        metric_size: size_of::<abi::Metric>(),
        metrics: std::ptr::null(),
        metric_count: 0,
    };
    let mut handle = std::ptr::null_mut();
    let begin = table.metric_begin.expect("there");
    assert_eq!(said(|m| unsafe { begin(7, &raw const system, &raw mut handle, m) }, 99).0, abi::REFUSED);
    assert_eq!(said(|m| unsafe { begin(0, &raw const system, &raw mut handle, m) }, 99).0, abi::OK);
    let value = |design: &[f64], capacity| {
        let mut out = 0.0;
        let call = |m| unsafe {
            let value = table.metric_value.expect("there");
            value(handle, design.as_ptr(), design.len(), std::ptr::null(), 0, &raw mut out, 1, m)
        };
        (said(call, capacity), out)
    };
    assert_eq!(value(&[2.5], 99), ((abi::OK, String::new()), 2.5));
    assert_eq!(value(&[-1.0], 99).0, (abi::PANICKED, "the plugin panicked: not -1 ä".into()));
    // A message that does not fit ends between two letters.
    assert_eq!(value(&[-1.0], 29).0, (abi::PANICKED, "the plugin panicked: not -1 ".into()));
    assert_eq!(value(&[1.0, 2.0], 99).0.0, abi::FAILED);
    unsafe { table.metric_end.expect("there")(handle) };
}
