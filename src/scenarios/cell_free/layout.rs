//! Where access points and users stand (paper 004, section V).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::math::Streams;

/// What is done about access points within the exclusion radius of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Positions are independent and uniform; a shorter distance counts as the exclusion radius.
    #[default]
    Clamp,
    /// Users are uniform, and each access point is drawn again until it stands outside all users' circles. In the
    /// paper's setup (250 m, 100 m, 4 users) one in five places is left to an access point, and all pairs of 8 access
    /// points keep the distance by themselves with a chance of 1.5e-4 only.
    Joint,
}

/// So many places are tried for an access point.
const TRIES: usize = 20_000;

/// The distances `r_kl`, K x L row-major, between users and access points in a square. A user's and an access point's
/// place come from streams of their own.
pub(super) fn distances(
    layout: Layout,
    (users, access_points): (usize, usize),
    (side, exclusion): (f64, f64),
    streams: &Streams,
) -> Result<Vec<f64>> {
    let users: Vec<[f64; 2]> = (0..users as u64)
        .map(|k| {
            let mut stream = streams.stream("user position", k);
            [side * stream.uniform(), side * stream.uniform()]
        })
        .collect();
    let distance = |a: &[f64; 2], b: &[f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let mut places = Vec::with_capacity(access_points);
    for l in 0..access_points as u64 {
        let mut stream = streams.stream("access point position", l);
        let mut draw = || [side * stream.uniform(), side * stream.uniform()];
        let place = match layout {
            Layout::Clamp => Some(draw()),
            Layout::Joint => {
                (0..TRIES).map(|_| draw()).find(|place| users.iter().all(|user| distance(place, user) >= exclusion))
            }
        };
        let place = place.ok_or_else(|| {
            Error::Numerical(format!(
                "layout = \"joint\": none of {TRIES} places for access point {l} is {exclusion} m from all {} users; \
                 take a larger area, a smaller exclusion_radius, or layout = \"clamp\"",
                users.len()
            ))
        })?;
        places.push(place);
    }
    let pairs = users.iter().flat_map(|user| places.iter().map(move |place| (user, place)));
    Ok(pairs.map(|(user, place)| distance(user, place).max(exclusion)).collect())
}
