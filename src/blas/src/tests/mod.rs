//! Each routine against its definition in plain loops, in both precisions, with leading dimensions beyond the sizes, and
//! with what it must not touch watched.

use std::ffi::{c_char, c_int};

use super::*;

/// A matrix with room below its columns, which holds a mark.
#[derive(Clone)]
struct Stored {
    rows: usize,
    columns: usize,
    leading: c_int,
    data: Vec<f64>,
}

const MARK: f64 = 77.0;

/// A stream of numbers from -1 to 1.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Stored {
        let leading = rows + 2;
        let mut data = vec![MARK; leading * columns.max(1)];
        for j in 0..columns {
            (0..rows).for_each(|i| data[j * leading + i] = self.next());
        }
        Stored { rows, columns, leading: leading as c_int, data }
    }

    /// Positive definite.
    fn definite(&mut self, n: usize) -> Stored {
        let f = self.matrix(n, n);
        let mut a = f.clone();
        for j in 0..n {
            for i in 0..n {
                let sum: f64 = (0..n).map(|k| f.at(i, k) * f.at(j, k)).sum();
                a.put(i, j, sum + if i == j { 0.5 } else { 0.0 });
            }
        }
        a
    }
}

impl Stored {
    fn at(&self, i: usize, j: usize) -> f64 {
        self.data[j * self.leading as usize + i]
    }

    fn put(&mut self, i: usize, j: usize, value: f64) {
        self.data[j * self.leading as usize + i] = value;
    }

    fn turned(&self) -> Self {
        let mut out = Self {
            rows: self.columns,
            columns: self.rows,
            leading: self.columns as c_int + 3,
            data: vec![MARK; (self.columns + 3) * self.rows.max(1)],
        };
        for j in 0..self.columns {
            (0..self.rows).for_each(|i| out.put(j, i, self.at(i, j)));
        }
        out
    }

    fn marked(&self) -> bool {
        (0..self.columns).all(|j| (self.rows..self.leading as usize).all(|i| self.at(i, j) == MARK))
    }
}

fn letter(x: u8) -> c_char {
    x as c_char
}

/// Whether in single precision, and how exact that is.
const PRECISIONS: [(bool, f64); 2] = [(false, 1e-12), (true, 2e-4)];

/// Runs the body with one of two routines, its real type, and a function that converts arrays to it.
macro_rules! call {
    ($single:expr, $double_name:ident, $single_name:ident, |$real:ident, $function:ident, $cast:ident| $body:block) => {
        if $single {
            #[allow(non_camel_case_types)]
            type $real = f32;
            let $function = $single_name;
            let $cast = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
            $body
        } else {
            #[allow(non_camel_case_types)]
            type $real = f64;
            let $function = $double_name;
            let $cast = |x: &[f64]| x.to_vec();
            $body
        }
    };
}

macro_rules! back {
    ($x:expr) => {
        $x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>()
    };
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} {b}");
}

mod factors;
mod products;
