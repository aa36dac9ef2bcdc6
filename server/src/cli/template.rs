//! `rejoinder template`: what is known of a location's templates. None is made at a provider here.

use clap::Subcommand;
use rejoinder_engine::Engine;
use rejoinder_engine::store::{TemplateListRow, TemplateRow};
use serde_json::Value;

use super::{Failure, open};
use crate::api::templates::{ShapeJson, SyncJson, TemplatesJson};
use crate::out::{self, Format};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the templates that rules can name
    List {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Ask the providers for their lists, in place of what was known
    Sync {
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Tell of templates by hand, until the next sync
    Add {
        /// A file with a template as JSON, or a list of them
        file: String,
        /// The account at the provider [default: the only one]
        #[arg(long)]
        account: Option<String>,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
    /// Forget a template; at its provider it stays
    Remove {
        /// Its name
        name: String,
        /// The only language to forget [default: all]
        #[arg(long)]
        language: Option<String>,
        /// The only account to forget it of [default: all]
        #[arg(long)]
        account: Option<String>,
        /// Its id or name [default: the only one]
        #[arg(long)]
        location: Option<String>,
    },
}

impl Command {
    pub(super) async fn run(self, engine: &Engine, format: Format) -> Result<(), Failure> {
        match self {
            Self::List { location } => list(engine, location.as_deref(), format).await,
            Self::Sync { location } => {
                let location = open::location(engine, location.as_deref()).await?;
                let synced = engine.sync_templates(location.id).await?;
                let columns = [
                    ("PROVIDER", "provider"),
                    ("ACCOUNT", "account"),
                    ("TEMPLATES", "templates"),
                ];
                format.list(&SyncJson::from(synced), "accounts", &columns);
                Ok(())
            }
            Self::Add {
                file,
                account,
                location,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                let mut rows = Vec::new();
                for template in read(&file)? {
                    let account = template.account.clone().or_else(|| account.clone());
                    let shape = template.into_shape();
                    let row = engine
                        .put_template(location.id, account.as_deref(), shape)
                        .await?;
                    rows.push(row);
                }
                show(rows, Vec::new(), format);
                Ok(())
            }
            Self::Remove {
                name,
                language,
                account,
                location,
            } => {
                let location = open::location(engine, location.as_deref()).await?;
                let known = engine.store().of(location.id).templates().await?;
                let meant: Vec<_> = known
                    .into_iter()
                    .filter(|row| row.shape.name == name)
                    .filter(|row| language.as_ref().is_none_or(|it| row.shape.language == *it))
                    .filter(|row| account.as_ref().is_none_or(|it| row.account == *it))
                    .collect();
                if meant.is_empty() {
                    return Err(Failure::missing("template", &name, "template list"));
                }
                for row in &meant {
                    let (account, language) = (&row.account, &row.shape.language);
                    engine
                        .remove_template(location.id, Some(account), &name, language)
                        .await?;
                    out::note(&format!("Rules can name '{name}' in {language} no more."));
                }
                Ok(())
            }
        }
    }
}

async fn list(engine: &Engine, location: Option<&str>, format: Format) -> Result<(), Failure> {
    let location = open::location(engine, location).await?;
    let store = engine.store().of(location.id);
    let (templates, lists) = (store.templates().await?, store.template_lists().await?);
    if templates.is_empty() && lists.is_empty() && format == Format::Human {
        out::line("the location's templates are not known yet; run `rejoinder template sync`");
        return Ok(());
    }
    show(templates, lists, format);
    Ok(())
}

fn show(templates: Vec<TemplateRow>, lists: Vec<TemplateListRow>, format: Format) {
    let columns = [
        ("NAME", "name"),
        ("LANGUAGE", "language"),
        ("PARAMETERS", "parameters"),
        ("STATUS", "status"),
        ("CATEGORY", "category"),
    ];
    format.list(&TemplatesJson::new(templates, lists), "templates", &columns);
}

/// The templates in a file; a mistake is told with its place.
fn read(file: &str) -> Result<Vec<ShapeJson>, Failure> {
    let text = open::read_file(file)?;
    let told = |error: serde_json::Error| Failure::new(format!("{file} does not read: {error}"));
    let templates = match serde_json::from_str(&text).map_err(told)? {
        Value::Array(templates) => templates,
        template => vec![template],
    };
    let mut read = Vec::new();
    for (position, template) in templates.into_iter().enumerate() {
        let nth = position + 1;
        let template = serde_json::from_value(template);
        read.push(template.map_err(|error| {
            Failure::new(format!(
                "{file}: template {nth} does not read: {error}; it has name, language, parameters, \
                 header, buttons, status, category"
            ))
        })?);
    }
    Ok(read)
}
