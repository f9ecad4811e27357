//! The JSON Schema of each report, made from the types that it is written from.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::{
    Configuration, Explain, Frame, Group, Home, Latest, Past, Plan, Portlist, ReportName, Stats,
    Sysplex, Vcrt, Vdpt, Vipadcfg, Vipadyn,
};

/// The schema of a report's JSON, as a document of its own.
#[must_use]
pub fn schema(report: ReportName) -> String {
    let mut text = format!("{:#}", document(report));
    text.push('\n');
    text
}

/// The same as data.
pub(super) fn document(report: ReportName) -> Value {
    let mut document = body(report);
    let frame = root::<Frame>();
    let mut properties = Map::new();
    let tag = json!({"description": "The report.", "const": report.word()});
    properties.insert("report".to_owned(), tag);
    for schema in [&frame, &document] {
        properties.extend(object(schema, "properties").clone());
    }
    let mut required = vec![json!("report")];
    for schema in [&frame, &document] {
        let names = schema.get("required").and_then(Value::as_array);
        required.extend(names.into_iter().flatten().cloned());
    }
    document["title"] = json!(format!("`distributor {}`", report.command()));
    document["properties"] = Value::Object(properties);
    document["required"] = Value::Array(required);
    document
}

fn body(report: ReportName) -> Value {
    match report {
        ReportName::Vipadcfg => root::<Vipadcfg>(),
        ReportName::Vipadyn => root::<Vipadyn>(),
        ReportName::Vdpt => root::<Vdpt>(),
        ReportName::Vcrt => root::<Vcrt>(),
        ReportName::Config => root::<Configuration>(),
        ReportName::Portlist => root::<Portlist>(),
        ReportName::Home => root::<Home>(),
        ReportName::Stats => root::<Stats>(),
        ReportName::Sysplex => root::<Sysplex>(),
        ReportName::Group => root::<Group>(),
        ReportName::Explain => root::<Explain>(),
        ReportName::Plan => root::<Plan>(),
        ReportName::History => root::<Past>(),
        ReportName::Events => root::<Latest>(),
    }
}

fn root<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.to_value()
}

/// The object below a key; empty if there is none.
pub(super) fn object<'a>(schema: &'a Value, key: &str) -> &'a Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema.get(key).and_then(Value::as_object).unwrap_or(&EMPTY)
}

/// What a field is: its schema with what it refers to, in lists and behind null as well.
pub(super) fn resolve<'a>(document: &'a Value, field: &'a Value) -> &'a Value {
    let inner = field.get("items").or_else(|| {
        let any = field.get("anyOf")?.as_array()?;
        any.iter().find(|one| one.get("$ref").is_some())
    });
    let field = inner.unwrap_or(field);
    let reference = field.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.and_then(|name| document.get("$defs")?.get(name))
        .unwrap_or(field)
}
