use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which file imports which, and the first path by which it does.
#[derive(Default, Debug)]
pub struct Graph(BTreeMap<String, BTreeMap<String, String>>);

impl Graph {
    pub fn add_file(&mut self, file: &str) {
        self.0.entry(file.to_owned()).or_default();
    }

    pub fn add_import(&mut self, from: &str, to: &str, path: &str) {
        if from != to {
            self.add_file(to);
            let imports = self.0.entry(from.to_owned()).or_default();
            imports.entry(to.to_owned()).or_insert(path.to_owned());
        }
    }

    pub fn has(&self, file: &str) -> bool {
        self.0.contains_key(file)
    }

    pub fn files(&self) -> usize {
        self.0.len()
    }

    pub fn imports(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    fn import(&self, from: &str, to: &str) -> String {
        format!("    {from}: {}\n", self.0[from][to])
    }

    /// A shortest circle through each file that is on one, with the path of each import; each circle once.
    pub fn circles(&self) -> Vec<String> {
        let circles: BTreeSet<Vec<&str>> = self
            .0
            .keys()
            .filter_map(|file| self.shortest_circle(file))
            .map(|mut circle| {
                let first = (0..circle.len()).min_by_key(|&at| circle[at]);
                circle.rotate_left(first.unwrap_or(0));
                circle
            })
            .collect();
        circles
            .into_iter()
            .map(|circle| {
                let imports = circle
                    .iter()
                    .zip(circle.iter().cycle().skip(1))
                    .map(|(from, to)| self.import(from, to));
                let imports: String = imports.collect();
                format!("{} -> {}\n{imports}", circle.join(" -> "), circle[0])
            })
            .collect()
    }

    /// Breadth first from `start` until a file imports `start` again.
    fn shortest_circle<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(file) = waiting.pop_front() {
            for next in self.0[file].keys() {
                if next == start {
                    let mut circle = vec![file];
                    while let Some(before) = came_from.get(circle[circle.len() - 1]) {
                        circle.push(before);
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, file);
                    waiting.push_back(next);
                }
            }
        }
        None
    }

    /// Imports of `file` by others than `importers`, each of which is a file or a folder.
    pub fn imported_from_elsewhere(&self, file: &str, importers: &[String]) -> Vec<String> {
        let may = |from: &str| {
            importers.iter().any(|importer| {
                from.strip_prefix(importer.trim_end_matches('/'))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        self.0
            .iter()
            .filter(|(from, to)| to.contains_key(file) && !may(from))
            .map(|(from, _)| {
                let import = self.import(from, file);
                format!("{from} -> {file}, which only its own layer may import\n{import}")
            })
            .collect()
    }
}
