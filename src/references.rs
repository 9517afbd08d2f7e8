//! What to cite: the program, the papers of scenarios, the sources of solvers, as facts from which BibTeX is written.

use std::fmt::Write;

/// A source in the literature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The BibTeX key.
    pub key: &'static str,
    /// `article`, `inproceedings`, `book`, `misc`.
    pub kind: &'static str,
    /// The authors as BibTeX joins them, ` and ` between two.
    pub authors: &'static str,
    /// The title.
    pub title: &'static str,
    /// Further fields, in order: journal, volume, pages, year, doi and so on.
    pub fields: &'static [(&'static str, &'static str)],
}

impl Reference {
    /// The entry as BibTeX. Titles keep their capitals.
    pub fn bibtex(&self) -> String {
        let mut text = format!("@{}{{{},\n", self.kind, self.key);
        let fields = [("author", self.authors.to_string()), ("title", format!("{{{}}}", latex(self.title)))];
        let further = self.fields.iter().map(|(name, value)| (*name, (*value).to_string()));
        for (name, value) in fields.into_iter().chain(further) {
            let value = if ["title", "doi", "eprint"].contains(&name) { value } else { latex(&value) };
            let _ = writeln!(text, "  {name} = {{{value}}},");
        }
        text + "}"
    }

    /// Its DOI, where it has one.
    pub fn doi(&self) -> Option<&'static str> {
        self.fields.iter().find(|(name, _)| *name == "doi").map(|(_, doi)| *doi)
    }
}

/// Text with the signs that LaTeX reserves written so that it sets them.
fn latex(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' | '%' | '#' | '_' => out.extend(['\\', c]),
            '–' => out.push_str("--"),
            '—' => out.push_str("---"),
            'é' => out.push_str("{\\'e}"),
            'ö' => out.push_str("{\\\"o}"),
            c => out.push(c),
        }
        out
    })
}

/// The program itself, as the repository's CITATION.cff states it.
pub fn program() -> String {
    let fact = |key: &str| {
        let line = CITATION.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_default().trim_matches('"').to_string()
    };
    let names = CITATION.lines().skip_while(|line| !line.starts_with("authors:")).skip(1);
    let names = names.take_while(|line| line.starts_with([' ', '-']));
    let names: Vec<String> = names
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("name: "))
        // An organization's name is one name, not a family name after given ones.
        .map(|name| format!("{{{}}}", latex(name.trim_matches('"'))))
        .collect();
    let version = fact("version");
    format!(
        "@software{{isacopt,\n  author = {{{}}},\n  title = {{{{{}}}}},\n  version = {{{version}}},\n}}",
        names.join(" and "),
        latex(&fact("title"))
    )
}

const CITATION: &str = include_str!("../CITATION.cff");

/// The papers of the scenarios, by the scenario's name. Venue, year and DOI are left out where they are not known for
/// certain.
pub fn of_scenario(name: &str) -> &'static [Reference] {
    let found = SCENARIOS.iter().find(|(scenario, _)| *scenario == name);
    found.map(|(_, reference)| std::slice::from_ref(reference)).unwrap_or_default()
}

const SCENARIOS: [(&str, Reference); 5] = [
    (
        "monostatic",
        Reference {
            key: "nguyen-massive-mimo-isac",
            kind: "article",
            authors: "Nguyen, Nhan Thanh and Nguyen, Van-Dinh and Nguyen, Hieu V. and Ngo, Hien Quoc and \
                      Swindlehurst, A. Lee and Juntti, Markku",
            title: "Performance Analysis and Power Allocation for Massive MIMO ISAC Systems",
            fields: &[
                ("journal", "IEEE Transactions on Signal Processing"),
                ("volume", "73"),
                ("pages", "1691–1707"),
                ("year", "2025"),
                ("doi", "10.1109/TSP.2025.3554012"),
            ],
        },
    ),
    (
        "cell_free",
        Reference {
            key: "nguyen-multi-static-cell-free-isac",
            kind: "misc",
            authors: "Nguyen, Nhan Thanh and Fang, Tianyu and Ngo, Hien Quoc and Juntti, Markku",
            title: "Multi-Static Cell-Free Massive MIMO ISAC: Performance Analysis and Power Allocation",
            fields: &[("year", "2024"), ("eprint", "2411.06747"), ("archiveprefix", "arXiv")],
        },
    ),
    (
        "irs_no_isac",
        Reference {
            key: "yu-irs-non-orthogonal-isac",
            kind: "misc",
            authors: "Yu, Zhouyuan and Hu, Xiaoling and Liu, Chenxi and Peng, Mugen and Zhong, Caijun",
            title: "IRS-Aided Non-Orthogonal ISAC Systems: Performance Analysis and Beamforming Design",
            fields: &[("year", "2022"), ("eprint", "2208.05324"), ("archiveprefix", "arXiv")],
        },
    ),
    (
        "multi_irs",
        Reference {
            key: "fang-multi-irs-isac",
            kind: "article",
            authors: "Fang, Yuan and Zhang, Siyao and Li, Xinmin and Yu, Xianghao and Xu, Jie and Cui, Shuguang",
            title: "Multi-IRS-Enabled Integrated Sensing and Communications",
            fields: &[
                ("journal", "IEEE Transactions on Communications"),
                ("volume", "72"),
                ("number", "9"),
                ("pages", "5853–5867"),
                ("year", "2024"),
                ("eprint", "2307.02242"),
                ("archiveprefix", "arXiv"),
            ],
        },
    ),
    (
        "irs_massive_mimo",
        Reference {
            key: "kulathunga-irs-massive-mimo-isac",
            kind: "misc",
            authors: "Kulathunga, Ranga and Dassanayake, Janith Kavindu and Amarasuriya, Gayan",
            title: "IRS-Aided Massive MIMO ISAC Systems",
            fields: &[("note", "Venue and year: see the published version")],
        },
    ),
];

/// The inner approximations of successive convex approximation.
pub const MARKS_WRIGHT: Reference = Reference {
    key: "marks-wright-1978",
    kind: "article",
    authors: "Marks, Barry R. and Wright, Gordon P.",
    title: "A General Inner Approximation Algorithm for Nonconvex Mathematical Programs",
    fields: &[
        ("journal", "Operations Research"),
        ("volume", "26"),
        ("number", "4"),
        ("pages", "681–683"),
        ("year", "1978"),
        ("doi", "10.1287/opre.26.4.681"),
    ],
};

/// Successive convex approximation as a framework.
pub const SCUTARI: Reference = Reference {
    key: "scutari-2017",
    kind: "article",
    authors: "Scutari, Gesualdo and Facchinei, Francisco and Lampariello, Lorenzo",
    title: "Parallel and Distributed Methods for Constrained Nonconvex Optimization—Part I: Theory",
    fields: &[
        ("journal", "IEEE Transactions on Signal Processing"),
        ("volume", "65"),
        ("number", "8"),
        ("pages", "1929–1944"),
        ("year", "2017"),
        ("doi", "10.1109/TSP.2016.2637317"),
    ],
};

/// Majorization-minimization.
pub const SUN_BABU_PALOMAR: Reference = Reference {
    key: "sun-babu-palomar-2017",
    kind: "article",
    authors: "Sun, Ying and Babu, Prabhu and Palomar, Daniel P.",
    title: "Majorization-Minimization Algorithms in Signal Processing, Communications, and Machine Learning",
    fields: &[
        ("journal", "IEEE Transactions on Signal Processing"),
        ("volume", "65"),
        ("number", "3"),
        ("pages", "794–816"),
        ("year", "2017"),
        ("doi", "10.1109/TSP.2016.2601299"),
    ],
};

/// Squared extrapolation of fixed-point iterations.
pub const VARADHAN_ROLAND: Reference = Reference {
    key: "varadhan-roland-2008",
    kind: "article",
    authors: "Varadhan, Ravi and Roland, Christophe",
    title: "Simple and Globally Convergent Methods for Accelerating the Convergence of Any EM Algorithm",
    fields: &[
        ("journal", "Scandinavian Journal of Statistics"),
        ("volume", "35"),
        ("number", "2"),
        ("pages", "335–353"),
        ("year", "2008"),
        ("doi", "10.1111/j.1467-9469.2007.00585.x"),
    ],
};

/// Sequential quadratic programming, and much else.
pub const NOCEDAL_WRIGHT: Reference = Reference {
    key: "nocedal-wright-2006",
    kind: "book",
    authors: "Nocedal, Jorge and Wright, Stephen J.",
    title: "Numerical Optimization",
    fields: &[("edition", "2"), ("publisher", "Springer"), ("year", "2006"), ("doi", "10.1007/978-0-387-40065-5")],
};

/// The covariance matrix adaptation evolution strategy.
pub const CMA_ES: Reference = Reference {
    key: "hansen-ostermeier-2001",
    kind: "article",
    authors: "Hansen, Nikolaus and Ostermeier, Andreas",
    title: "Completely Derandomized Self-Adaptation in Evolution Strategies",
    fields: &[
        ("journal", "Evolutionary Computation"),
        ("volume", "9"),
        ("number", "2"),
        ("pages", "159–195"),
        ("year", "2001"),
        ("doi", "10.1162/106365601750190398"),
    ],
};

/// Its restarts in two regimes.
pub const BIPOP: Reference = Reference {
    key: "hansen-2009",
    kind: "inproceedings",
    authors: "Hansen, Nikolaus",
    title: "Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed",
    fields: &[
        ("booktitle", "Genetic and Evolutionary Computation Conference Companion (GECCO)"),
        ("pages", "2389–2396"),
        ("year", "2009"),
        ("doi", "10.1145/1570256.1570333"),
    ],
};

/// The rules that order feasible and infeasible designs.
pub const DEB: Reference = Reference {
    key: "deb-2000",
    kind: "article",
    authors: "Deb, Kalyanmoy",
    title: "An Efficient Constraint Handling Method for Genetic Algorithms",
    fields: &[
        ("journal", "Computer Methods in Applied Mechanics and Engineering"),
        ("volume", "186"),
        ("number", "2–4"),
        ("pages", "311–338"),
        ("year", "2000"),
        ("doi", "10.1016/S0045-7825(99)00389-8"),
    ],
};

/// Branch and bound.
pub const LAND_DOIG: Reference = Reference {
    key: "land-doig-1960",
    kind: "article",
    authors: "Land, Ailsa H. and Doig, Alison G.",
    title: "An Automatic Method of Solving Discrete Programming Problems",
    fields: &[
        ("journal", "Econometrica"),
        ("volume", "28"),
        ("number", "3"),
        ("pages", "497–520"),
        ("year", "1960"),
        ("doi", "10.2307/1910129"),
    ],
};

/// The simplex search.
pub const NELDER_MEAD: Reference = Reference {
    key: "nelder-mead-1965",
    kind: "article",
    authors: "Nelder, John A. and Mead, Roger",
    title: "A Simplex Method for Function Minimization",
    fields: &[
        ("journal", "The Computer Journal"),
        ("volume", "7"),
        ("number", "4"),
        ("pages", "308–313"),
        ("year", "1965"),
        ("doi", "10.1093/comjnl/7.4.308"),
    ],
};

/// Particle swarms.
pub const PARTICLE_SWARM: Reference = Reference {
    key: "zambrano-bigiarini-2013",
    kind: "inproceedings",
    authors: "Zambrano-Bigiarini, Mauricio and Clerc, Maurice and Rojas, Rodrigo",
    title: "Standard Particle Swarm Optimisation 2011 at CEC-2013: A Baseline for Future PSO Improvements",
    fields: &[
        ("booktitle", "IEEE Congress on Evolutionary Computation"),
        ("year", "2013"),
        ("doi", "10.1109/CEC.2013.6557848"),
    ],
};

/// The limited-memory quasi-Newton method.
pub const LIU_NOCEDAL: Reference = Reference {
    key: "liu-nocedal-1989",
    kind: "article",
    authors: "Liu, Dong C. and Nocedal, Jorge",
    title: "On the Limited Memory BFGS Method for Large Scale Optimization",
    fields: &[
        ("journal", "Mathematical Programming"),
        ("volume", "45"),
        ("pages", "503–528"),
        ("year", "1989"),
        ("doi", "10.1007/BF01589116"),
    ],
};

/// The line search of [`LIU_NOCEDAL`].
pub const MORE_THUENTE: Reference = Reference {
    key: "more-thuente-1994",
    kind: "article",
    authors: "Moré, Jorge J. and Thuente, David J.",
    title: "Line Search Algorithms with Guaranteed Sufficient Decrease",
    fields: &[
        ("journal", "ACM Transactions on Mathematical Software"),
        ("volume", "20"),
        ("number", "3"),
        ("pages", "286–307"),
        ("year", "1994"),
        ("doi", "10.1145/192115.192132"),
    ],
};

/// The cross-entropy method.
pub const RUBINSTEIN: Reference = Reference {
    key: "rubinstein-1999",
    kind: "article",
    authors: "Rubinstein, Reuven",
    title: "The Cross-Entropy Method for Combinatorial and Continuous Optimization",
    fields: &[
        ("journal", "Methodology and Computing in Applied Probability"),
        ("volume", "1"),
        ("number", "2"),
        ("pages", "127–190"),
        ("year", "1999"),
        ("doi", "10.1023/A:1010091220143"),
    ],
};

/// Searches by exchanges from many starts.
pub const LIN: Reference = Reference {
    key: "lin-1965",
    kind: "article",
    authors: "Lin, Shen",
    title: "Computer Solutions of the Traveling Salesman Problem",
    fields: &[
        ("journal", "Bell System Technical Journal"),
        ("volume", "44"),
        ("number", "10"),
        ("pages", "2245–2269"),
        ("year", "1965"),
        ("doi", "10.1002/j.1538-7305.1965.tb04146.x"),
    ],
};

/// Simulated annealing.
pub const KIRKPATRICK: Reference = Reference {
    key: "kirkpatrick-1983",
    kind: "article",
    authors: "Kirkpatrick, Scott and Gelatt, C. D. and Vecchi, M. P.",
    title: "Optimization by Simulated Annealing",
    fields: &[
        ("journal", "Science"),
        ("volume", "220"),
        ("number", "4598"),
        ("pages", "671–680"),
        ("year", "1983"),
        ("doi", "10.1126/science.220.4598.671"),
    ],
};

/// Quasi-convex problems by bisection.
pub const BOYD_VANDENBERGHE: Reference = Reference {
    key: "boyd-vandenberghe-2004",
    kind: "book",
    authors: "Boyd, Stephen and Vandenberghe, Lieven",
    title: "Convex Optimization",
    fields: &[("publisher", "Cambridge University Press"), ("year", "2004"), ("doi", "10.1017/CBO9780511804441")],
};

/// Semidefinite relaxation with randomization.
pub const LUO: Reference = Reference {
    key: "luo-2010",
    kind: "article",
    authors: "Luo, Zhi-Quan and Ma, Wing-Kin and So, Anthony Man-Cho and Ye, Yinyu and Zhang, Shuzhong",
    title: "Semidefinite Relaxation of Quadratic Optimization Problems",
    fields: &[
        ("journal", "IEEE Signal Processing Magazine"),
        ("volume", "27"),
        ("number", "3"),
        ("pages", "20–34"),
        ("year", "2010"),
        ("doi", "10.1109/MSP.2010.936019"),
    ],
};

/// The limited-memory update.
pub const NOCEDAL: Reference = Reference {
    key: "nocedal-1980",
    kind: "article",
    authors: "Nocedal, Jorge",
    title: "Updating Quasi-Newton Matrices with Limited Storage",
    fields: &[
        ("journal", "Mathematics of Computation"),
        ("volume", "35"),
        ("number", "151"),
        ("pages", "773–782"),
        ("year", "1980"),
        ("doi", "10.1090/S0025-5718-1980-0572855-7"),
    ],
};

/// Searches on manifolds.
pub const ABSIL: Reference = Reference {
    key: "absil-2008",
    kind: "book",
    authors: "Absil, P.-A. and Mahony, R. and Sepulchre, R.",
    title: "Optimization Algorithms on Matrix Manifolds",
    fields: &[("publisher", "Princeton University Press"), ("year", "2008"), ("doi", "10.1515/9781400830244")],
};

/// Generalized fractional programming.
pub const CROUZEIX_FERLAND: Reference = Reference {
    key: "crouzeix-ferland-1991",
    kind: "article",
    authors: "Crouzeix, Jean-Pierre and Ferland, Jacques A.",
    title: "Algorithms for Generalized Fractional Programming",
    fields: &[
        ("journal", "Mathematical Programming"),
        ("volume", "52"),
        ("pages", "191–207"),
        ("year", "1991"),
        ("doi", "10.1007/BF01582887"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::solvers;

    #[test]
    fn the_program_is_cited_in_its_version() {
        let text = program();
        assert!(text.contains(&format!("version = {{{}}}", env!("CARGO_PKG_VERSION"))), "{text}");
        assert!(text.contains("author = {{The isacopt authors}}"), "{text}");
        assert!(text.contains("title = {{isacopt: any ISAC"), "{text}");
    }

    /// What a solver's description names by DOI, `isacopt cite` must give.
    #[test]
    fn every_doi_of_a_solvers_description_is_among_its_references() {
        for (name, entry) in solvers() {
            let schema = (entry.schema)();
            let text = schema.as_value()["description"].as_str().unwrap_or_default().to_string();
            for doi in text.split("doi:").skip(1) {
                let known = |r: &&Reference| r.doi().is_some_and(|own| doi.starts_with(own));
                let doi: String = doi.chars().take(30).collect();
                assert!(entry.references.iter().any(|r| known(&r)), "{name} does not cite doi:{doi}...");
            }
        }
    }

    #[test]
    fn entries_are_whole() {
        let text = DEB.bibtex();
        assert!(
            text.starts_with("@article{deb-2000,\n  author = {Deb, Kalyanmoy},\n  title = {{An Efficient"),
            "{text}"
        );
        assert!(
            text.contains("number = {2--4}") && text.ends_with("doi = {10.1016/S0045-7825(99)00389-8},\n}"),
            "{text}"
        );
        assert_eq!(of_scenario("monostatic").len(), 1);
        assert!(of_scenario("nothing").is_empty());
    }
}
