//! The types that can be asked for, what a query costs, and how wrong ones are refused.

use serde_json::{Value, json};

use super::super::super::query::Field;

/// How a field's cost and selection are to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A leaf.
    Leaf,
    /// An object, or a connection that costs nothing by itself.
    Object(&'static str),
    /// A connection behind a resolver: its children count once per page.
    Connection(&'static str),
}

use Kind::{Connection, Leaf, Object};

type Type = (&'static str, &'static [(&'static str, Kind)]);

const TYPES: &[Type] = &[
    ("Query", &[("project", Object("Project")), ("queryComplexity", Object("QueryComplexity"))]),
    ("QueryComplexity", &[("score", Leaf), ("limit", Leaf)]),
    ("PageInfo", &[("hasNextPage", Leaf), ("hasPreviousPage", Leaf), ("startCursor", Leaf), ("endCursor", Leaf)]),
    (
        "Project",
        &[
            ("id", Leaf),
            ("fullPath", Leaf),
            ("pipeline", Object("Pipeline")),
            ("pipelines", Connection("PipelineConnection")),
            ("jobs", Connection("CiJobConnection")),
            ("runners", Connection("CiRunnerConnection")),
        ],
    ),
    ("PipelineConnection", &[("count", Leaf), ("nodes", Object("Pipeline")), ("pageInfo", Object("PageInfo"))]),
    (
        "Pipeline",
        &[
            ("id", Leaf),
            ("iid", Leaf),
            ("name", Leaf),
            ("sha", Leaf),
            ("ref", Leaf),
            ("status", Leaf),
            ("source", Leaf),
            ("child", Leaf),
            ("totalJobs", Leaf),
            ("failureReason", Leaf),
            ("createdAt", Leaf),
            ("updatedAt", Leaf),
            ("startedAt", Leaf),
            ("finishedAt", Leaf),
            ("duration", Leaf),
            ("queuedDuration", Leaf),
            ("usesNeeds", Leaf),
            ("path", Leaf),
            ("yamlErrors", Leaf),
            ("yamlErrorMessages", Leaf),
            ("warnings", Leaf),
            ("stuck", Leaf),
            ("project", Object("Project")),
            ("upstream", Object("Pipeline")),
            ("sourceJob", Object("CiJob")),
            ("downstream", Connection("PipelineConnection")),
            ("jobs", Connection("CiJobConnection")),
        ],
    ),
    ("CiJobConnection", &[("count", Leaf), ("nodes", Object("CiJob")), ("pageInfo", Object("PageInfo"))]),
    (
        "CiJob",
        &[
            ("id", Leaf),
            ("name", Leaf),
            ("status", Leaf),
            ("kind", Leaf),
            ("allowFailure", Leaf),
            ("schedulingType", Leaf),
            ("stage", Object("CiStage")),
            ("tags", Leaf),
            ("createdAt", Leaf),
            ("queuedAt", Leaf),
            ("scheduledAt", Leaf),
            ("startedAt", Leaf),
            ("finishedAt", Leaf),
            ("erasedAt", Leaf),
            ("duration", Leaf),
            ("queuedDuration", Leaf),
            ("retried", Leaf),
            ("retryable", Leaf),
            ("playable", Leaf),
            ("cancelable", Leaf),
            ("stuck", Leaf),
            ("manualJob", Leaf),
            ("triggered", Leaf),
            ("failureMessage", Leaf),
            ("exitCode", Leaf),
            ("source", Leaf),
            ("refName", Leaf),
            ("shortSha", Leaf),
            ("webPath", Leaf),
            ("runner", Object("CiRunner")),
            ("pipeline", Object("Pipeline")),
            ("project", Object("Project")),
            ("downstreamPipeline", Object("Pipeline")),
            ("needs", Object("CiBuildNeedConnection")),
        ],
    ),
    ("CiBuildNeedConnection", &[("nodes", Object("CiBuildNeed")), ("pageInfo", Object("PageInfo"))]),
    ("CiBuildNeed", &[("id", Leaf), ("name", Leaf)]),
    ("CiStage", &[("id", Leaf), ("name", Leaf), ("status", Leaf)]),
    ("CiRunnerConnection", &[("count", Leaf), ("nodes", Object("CiRunner")), ("pageInfo", Object("PageInfo"))]),
    (
        "CiRunner",
        &[
            ("id", Leaf),
            ("description", Leaf),
            ("shortSha", Leaf),
            ("status", Leaf),
            ("paused", Leaf),
            ("contactedAt", Leaf),
            ("tagList", Leaf),
            ("runUntagged", Leaf),
            ("accessLevel", Leaf),
            ("maintenanceNote", Leaf),
            ("managers", Connection("CiRunnerManagerConnection")),
        ],
    ),
    (
        "CiRunnerManagerConnection",
        &[("count", Leaf), ("nodes", Object("CiRunnerManager")), ("pageInfo", Object("PageInfo"))],
    ),
    (
        "CiRunnerManager",
        &[
            ("id", Leaf),
            ("systemId", Leaf),
            ("version", Leaf),
            ("contactedAt", Leaf),
            ("status", Leaf),
            ("platformName", Leaf),
            ("architectureName", Leaf),
        ],
    ),
];

/// What a caller may ask for in one query.
pub struct Limits {
    pub complexity: u64,
    pub depth: usize,
}

impl Limits {
    pub fn of(signed_in: bool) -> Self {
        if signed_in { Self { complexity: 250, depth: 20 } } else { Self { complexity: 200, depth: 15 } }
    }
}

fn kind(on: &str, field: &str) -> Option<Kind> {
    let (_, fields) = TYPES.iter().find(|(name, _)| *name == on)?;
    fields.iter().find(|(name, _)| *name == field).map(|(_, kind)| *kind)
}

/// Errors for fields that do not exist and selections that do not fit, in GitLab's words.
pub fn check(on: &str, fields: &[Field]) -> Vec<Value> {
    let mut errors = Vec::new();
    for field in fields.iter().filter(|f| f.name != "__typename") {
        let name = &field.name;
        match kind(on, name) {
            None => errors.push(json!({
                "message": format!("Field '{name}' doesn't exist on type '{on}'"),
                "locations": [],
                "path": ["query", name],
                "extensions": { "code": "undefinedField", "typeName": on, "fieldName": name },
            })),
            Some(Leaf) if !field.fields.is_empty() => {
                errors.push(json!({ "message": format!("Selections can't be made on scalars (field '{name}' returns a scalar but has selections)") }));
            }
            Some(Leaf) => {}
            Some(Object(inner) | Connection(inner)) if field.fields.is_empty() => errors.push(json!({
                "message": format!("Field must have selections (field '{name}' returns {inner} but has no selections. Did you mean '{name} {{ ... }}'?)"),
            })),
            Some(Object(inner) | Connection(inner)) => errors.extend(check(inner, &field.fields)),
        }
    }
    errors
}

/// What a query costs: one per field; a connection behind a resolver counts what is below it once more per hundred rows.
pub fn complexity(on: &str, fields: &[Field]) -> u64 {
    let cost = |field: &Field| match kind(on, &field.name) {
        Some(Object(inner)) => 1 + complexity(inner, &field.fields),
        Some(Connection(inner)) => {
            let rows = field.number("first").or(field.number("last")).unwrap_or(100).min(100);
            (complexity(inner, &field.fields) + 1) * (100 + rows) / 100
        }
        _ => 1,
    };
    fields.iter().map(cost).sum()
}

pub fn depth(fields: &[Field]) -> usize {
    fields.iter().map(|f| 1 + depth(&f.fields)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::query::parse;
    use serde_json::Map;

    /// The query of GitLab's notes, which scores about 50 there.
    const JOBS: &str = "{ project(fullPath: \"p\") { pipeline(iid: 1) { id iid status updatedAt
        jobs(first: 100) { pageInfo { hasNextPage endCursor }
          nodes { id name status kind allowFailure createdAt queuedAt startedAt finishedAt duration
                  stage { name } needs { nodes { name } } } } } } queryComplexity { score limit } }";

    #[test]
    fn the_jobs_query_costs_about_fifty() {
        let fields = parse(JOBS, &Map::new()).unwrap();
        assert!(check("Query", &fields).is_empty());
        assert_eq!(complexity("Query", &fields), 49);
        assert_eq!(depth(&fields), 7);
    }

    #[test]
    fn unknown_fields_are_refused_in_gitlabs_words() {
        let fields = parse("{ project(fullPath: \"p\") { pipeline { colour id { x } jobs } } }", &Map::new()).unwrap();
        let errors = check("Query", &fields);
        assert_eq!(errors[0]["message"], "Field 'colour' doesn't exist on type 'Pipeline'");
        assert_eq!(errors.len(), 3);
    }
}
