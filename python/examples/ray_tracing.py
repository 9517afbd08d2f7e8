"""Channels from a ray tracer go in, a design comes out.

    python python/examples/ray_tracing.py [paths.csv]

The file lists paths, one a row, as ray tracers export them (Sionna RT: `a`, `tau`, `theta_t`, `phi_t`, `theta_r`, `phi_r`;
DeepMIMO: power and phase, time of arrival, angles of departure and arrival). Here a base station serves two users at each of
two reflecting surfaces, and each surface senses a target. NumPy turns the paths into channel matrices, these become an
instance of the scenario `multi_irs`, and `isacopt` finds beams and phases for it.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import isacopt

CARRIER = 3.5e9
ANTENNAS = 8    # of the base station, in a row along y, half a wavelength apart
ELEMENTS = 8    # of a surface, likewise
SURFACES = ["irs_1", "irs_2"]
USERS = [["user_11", "user_12"], ["user_21", "user_22"]]


def response(count, zenith, azimuth):
    """How a plane wave from (or to) a direction meets `count` antennas along y: one column a path."""
    along_y = np.sin(zenith) * np.sin(azimuth)
    return np.exp(1j * np.pi * np.outer(np.arange(count), along_y))


def channel(paths, transmitter, receiver, transmit, receive):
    """The narrowband channel of a link, receive x transmit: the paths add with the phases of their delays."""
    own = paths[(paths["transmitter"] == transmitter) & (paths["receiver"] == receiver)]
    gain = (own["gain_re"] + 1j * own["gain_im"]) * np.exp(-2j * np.pi * CARRIER * own["delay_s"])
    arrival = response(receive, own["arrival_zenith"], own["arrival_azimuth"])
    departure = response(transmit, own["departure_zenith"], own["departure_azimuth"])
    return (arrival * gain) @ departure.T


def instance(paths):
    """The drawn system as `isacopt` takes it: complex arrays, SI units, angles in rad."""
    to_surface = [channel(paths, "base_station", surface, ANTENNAS, ELEMENTS) for surface in SURFACES]
    to_users = [
        [channel(paths, surface, user, ELEMENTS, 1)[0] for user in users] for surface, users in zip(SURFACES, USERS)
    ]
    noise = 4e-15  # W, in 1 MHz
    return {
        "base_station_irs_channel": np.array(to_surface),
        # The model's h is what h^H takes: the conjugate of the row of gains.
        "irs_user_channel": np.conj(to_users),
        "target_direction": np.radians([-20.0, 35.0]),
        "target_reflection": np.array([3e-5, 3e-5j]),
        "sensors": 8,
        "element_spacing_wavelengths": 0.5,
        "sensor_spacing_wavelengths": 0.5,
        "dwell_time": 100,
        "communication_noise_power": noise,
        "sensing_noise_power": noise,
        "transmit_power": 10.0,
        "sinr_limit": np.full((2, 2), 10.0),
        "receiver": "type1",
        "target": "point",
    }


def sinr(system, design):
    """The users' SINRs by hand, from the channels that the paths gave: what the program must say, too."""
    beams = design["beamformer"].reshape(-1, ANTENNAS)
    found = []
    for surface, users in enumerate(USERS):
        turned = np.exp(1j * design["irs_phase"][surface])[:, None] * system["base_station_irs_channel"][surface]
        for user in range(len(users)):
            row = np.conj(system["irs_user_channel"][surface, user]) @ turned
            heard = np.abs(beams @ row) ** 2
            sensing = np.real(row @ design["sensing_covariance"] @ np.conj(row))
            own = heard[surface * len(users) + user]
            found.append(own / (heard.sum() - own + sensing + system["communication_noise_power"]))
    return np.reshape(found, (len(SURFACES), -1))


def main(table):
    # The lines that begin with # are notes; the first other line names the columns.
    lines = [line for line in Path(table).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    paths = np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf-8")
    system = instance(paths)
    answer = isacopt.solve(system, "alternating", scenario="multi_irs", max_iterations=5)
    metrics = answer["metrics"]
    print(f"{len(paths)} paths; {answer['status']} after {answer['iterations']} iterations, feasible: {answer['feasible']}")
    print("SINR of the users in dB:", np.round(10 * np.log10(metrics["sinr"]), 2).tolist())
    print("root Cramer-Rao bound of the directions in degrees:",
          np.round(np.degrees(np.sqrt(metrics["crlb_direction"])), 5).tolist())
    print("phases of the first surface in rad:", np.round(answer["design"]["irs_phase"][0], 3).tolist())
    print("the SINRs once more, by hand, in dB:", np.round(10 * np.log10(sinr(system, answer["design"])), 2).tolist())
    return system, answer


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("paths.csv"))
