//! Who looks after which failures. The caller writes the audit.

use crate::adapters::store::sql::{Row, Tx, query, query_scalar};
use crate::adapters::store::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;
use crate::console::failures::{Ack, AckId};

impl Store {
    /// Adds an acknowledgement. One of the same class and signature gives way and is returned.
    pub async fn add_ack(&self, ack: &Ack) -> Result<(AckId, Option<Ack>), StoreError> {
        let write = async {
            let mut transaction = self.db.begin().await?;
            let before = replaced(&mut transaction, ack).await?;
            let id = query_scalar::<i64>(
                "INSERT INTO acknowledgements (class, fingerprint, who, note, until, created) VALUES (?, ?, ?, ?, ?, ?) \
                 RETURNING id",
            )
            .bind(&*ack.class)
            .bind(ack.fingerprint.as_deref())
            .bind(&*ack.who)
            .bind(&*ack.note)
            .bind(ack.until.map(Timestamp::millis))
            .bind(ack.created.millis())
            .fetch_one(&mut transaction)
            .await?;
            transaction.commit().await?;
            Ok((AckId(id), before))
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// Acknowledgements that hold, newest first.
    pub async fn acks(&self, now: Timestamp) -> Result<Vec<(AckId, Ack)>, StoreError> {
        let rows =
            query("SELECT * FROM acknowledgements WHERE until IS NULL OR until > ? ORDER BY created DESC, id DESC")
                .bind(now.millis())
                .fetch_all(&self.db)
                .await;
        rows.and_then(|rows| rows.iter().map(ack).collect()).map_err(|error| self.failed(error))
    }

    /// Removes the acknowledgements that no longer hold and returns them; each is returned to one caller only, of
    /// whatever process.
    pub async fn expire_acks(&self, now: Timestamp) -> Result<Vec<(AckId, Ack)>, StoreError> {
        let rows = query("DELETE FROM acknowledgements WHERE until <= ? RETURNING *")
            .bind(now.millis())
            .fetch_all(&self.db)
            .await;
        let mut expired: Vec<(AckId, Ack)> =
            rows.and_then(|rows| rows.iter().map(ack).collect()).map_err(|error| self.failed(error))?;
        expired.sort_by_key(|(id, _)| *id);
        Ok(expired)
    }

    /// Removes an acknowledgement and returns it; `None` when somebody else did so before.
    pub async fn remove_ack(&self, id: AckId) -> Result<Option<Ack>, StoreError> {
        let row =
            query("DELETE FROM acknowledgements WHERE id = ? RETURNING *").bind(id.0).fetch_optional(&self.db).await;
        row.and_then(|row| row.map(|row| ack(&row).map(|(_, ack)| ack)).transpose()).map_err(|error| self.failed(error))
    }
}

async fn replaced(transaction: &mut Tx, new: &Ack) -> Result<Option<Ack>, StoreFault> {
    let row = query("DELETE FROM acknowledgements WHERE class = ? AND fingerprint IS NOT DISTINCT FROM ? RETURNING *")
        .bind(&*new.class)
        .bind(new.fingerprint.as_deref())
        .fetch_optional(transaction)
        .await?;
    row.map(|row| ack(&row).map(|(_, ack)| ack)).transpose()
}

fn ack(row: &Row) -> Result<(AckId, Ack), StoreFault> {
    let text = |column: &str| row.try_get::<&str>(column).map(Into::into);
    let ack = Ack {
        class: text("class")?,
        fingerprint: row.try_get::<Option<&str>>("fingerprint")?.map(Into::into),
        who: text("who")?,
        note: text("note")?,
        until: row.try_get::<Option<i64>>("until")?.map(Timestamp::from_millis),
        created: Timestamp::from_millis(row.try_get("created")?),
    };
    Ok((AckId(row.try_get("id")?), ack))
}
