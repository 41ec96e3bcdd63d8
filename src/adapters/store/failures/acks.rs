//! Who looks after which failures. The caller writes the audit.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::adapters::store::{Store, StoreError};
use crate::ci::Timestamp;
use crate::console::failures::{Ack, AckId};

impl Store {
    /// Adds an acknowledgement. One of the same class and signature gives way and is returned.
    pub async fn add_ack(&self, ack: &Ack) -> Result<(AckId, Option<Ack>), StoreError> {
        let write = async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let before = replaced(&mut transaction, ack).await?;
            let done = sqlx::query(
                "INSERT INTO acknowledgements (class, fingerprint, who, note, until, created) VALUES (?, ?, ?, ?, ?, \
                 ?)",
            )
            .bind(&*ack.class)
            .bind(ack.fingerprint.as_deref())
            .bind(&*ack.who)
            .bind(&*ack.note)
            .bind(ack.until.map(Timestamp::millis))
            .bind(ack.created.millis())
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok((AckId(done.last_insert_rowid()), before))
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// Acknowledgements that hold, newest first.
    pub async fn acks(&self, now: Timestamp) -> Result<Vec<(AckId, Ack)>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM acknowledgements WHERE until IS NULL OR until > ? ORDER BY created DESC, id DESC",
        )
        .bind(now.millis())
        .fetch_all(&self.pool)
        .await;
        rows.and_then(|rows| rows.iter().map(ack).collect()).map_err(|error| self.failed(error))
    }

    /// Removes the acknowledgements that no longer hold and returns them; each is returned to one caller only, of
    /// whatever process.
    pub async fn expire_acks(&self, now: Timestamp) -> Result<Vec<(AckId, Ack)>, StoreError> {
        let rows = sqlx::query("DELETE FROM acknowledgements WHERE until <= ? RETURNING *")
            .bind(now.millis())
            .fetch_all(&self.pool)
            .await;
        let mut expired: Vec<(AckId, Ack)> =
            rows.and_then(|rows| rows.iter().map(ack).collect()).map_err(|error| self.failed(error))?;
        expired.sort_by_key(|(id, _)| *id);
        Ok(expired)
    }

    /// Removes an acknowledgement and returns it; `None` when somebody else did so before.
    pub async fn remove_ack(&self, id: AckId) -> Result<Option<Ack>, StoreError> {
        let row = sqlx::query("DELETE FROM acknowledgements WHERE id = ? RETURNING *")
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await;
        row.and_then(|row| row.map(|row| ack(&row).map(|(_, ack)| ack)).transpose()).map_err(|error| self.failed(error))
    }
}

async fn replaced(connection: &mut SqliteConnection, new: &Ack) -> Result<Option<Ack>, sqlx::Error> {
    let row = sqlx::query("DELETE FROM acknowledgements WHERE class = ? AND fingerprint IS ? RETURNING *")
        .bind(&*new.class)
        .bind(new.fingerprint.as_deref())
        .fetch_optional(connection)
        .await?;
    row.map(|row| ack(&row).map(|(_, ack)| ack)).transpose()
}

fn ack(row: &SqliteRow) -> Result<(AckId, Ack), sqlx::Error> {
    let text = |column: &str| row.try_get::<&str, _>(column).map(Into::into);
    let ack = Ack {
        class: text("class")?,
        fingerprint: row.try_get::<Option<&str>, _>("fingerprint")?.map(Into::into),
        who: text("who")?,
        note: text("note")?,
        until: row.try_get::<Option<i64>, _>("until")?.map(Timestamp::from_millis),
        created: Timestamp::from_millis(row.try_get("created")?),
    };
    Ok((AckId(row.try_get("id")?), ack))
}
