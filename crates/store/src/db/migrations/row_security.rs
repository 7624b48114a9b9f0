//! Row-level security of PostgreSQL, and comments for people with `psql`.
//!
//! The server connects as the owner of the tables, whom no policy binds; it looks after owners itself. The
//! policies are for whoever else reaches the database, first of all Supabase's REST and realtime interfaces with
//! the roles `anon`, `authenticated` and `service_role`. Who signed in is in `request.jwt.claims`, from where
//! Supabase's own `auth.uid()` has it too; so nothing here needs Supabase. Nobody but the server and
//! `service_role` writes: a phase changes with its event or not at all.
//!
//! All of it can be said again, and is, after each migration: roles may have come since.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::prelude::DbErr;

use crate::db::{
    Transaction,
    tables::{COLUMNS, SeenBy, TABLES},
};

/// The table that sea-orm keeps its own notes in.
const MIGRATIONS: &str = "seaql_migrations";

/// Says who may see what.
pub(super) async fn apply(tx: &Transaction) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let schema = text(tx, "SELECT quote_ident(current_schema())").await?;
    let mut sql = owner_function(&schema);
    for table in TABLES {
        sql += &secure(table.name);
        sql += &comment("TABLE", table.name, table.about);
        if let SeenBy::Owner(condition) = table.seen_by {
            sql += &format!(
                "CREATE POLICY owner_reads ON {0} FOR SELECT USING ({condition});\n",
                table.name
            );
        }
    }
    sql += &secure(MIGRATIONS);
    sql += &comment("TABLE", MIGRATIONS, "The steps that this schema has gone");
    for (table, column, about) in COLUMNS {
        sql += &comment("COLUMN", &format!("{table}.{column}"), about);
    }
    for role in ["anon", "authenticated", "service_role"] {
        let found = format!("SELECT count(*)::text FROM pg_roles WHERE rolname = '{role}'");
        if text(tx, &found).await? == "1" {
            sql += &grants(role, &schema);
        }
    }
    tx.execute_unprepared(&sql).await.map(|_| ())
}

/// The owner that whoever signed in is, or null. It looks into `owners` with the rights of the tables' owner.
fn owner_function(schema: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION {schema}.morpheus_owner_id() RETURNS uuid \
         LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$ \
            SELECT id FROM {schema}.owners WHERE auth_user_id = coalesce( \
                nullif(current_setting('request.jwt.claim.sub', true), ''), \
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid \
         $$;\n"
    )
}

/// Nobody but its owner sees a row until a policy says so.
fn secure(table: &str) -> String {
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n\
         DROP POLICY IF EXISTS owner_reads ON {table};\n\
         DROP POLICY IF EXISTS service_role_does ON {table};\n"
    )
}

/// The rights of one of Supabase's roles, which gets some by itself for every new table.
fn grants(role: &str, schema: &str) -> String {
    let mut sql = String::new();
    let names = TABLES.iter().map(|table| table.name).chain([MIGRATIONS]);
    for table in names {
        sql += &format!("REVOKE ALL ON {table} FROM {role};\n");
        if role == "service_role" {
            sql += &format!(
                "GRANT ALL ON {table} TO {role};\n\
                 CREATE POLICY service_role_does ON {table} TO {role} USING (true) WITH CHECK (true);\n"
            );
        }
    }
    if role == "authenticated" {
        for table in TABLES {
            if let SeenBy::Owner(_) = table.seen_by {
                sql += &format!("GRANT SELECT ON {} TO {role};\n", table.name);
            }
        }
    }
    if role != "anon" {
        sql += &format!("GRANT USAGE ON SCHEMA {schema} TO {role};\n");
    }
    sql
}

fn comment(kind: &str, name: &str, about: &str) -> String {
    format!("COMMENT ON {kind} {name} IS '{}';\n", about.replace('\'', "''"))
}

async fn text(tx: &Transaction, sql: &str) -> Result<String, DbErr> {
    let row = tx
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?;
    row.try_get_by_index(0)
}
