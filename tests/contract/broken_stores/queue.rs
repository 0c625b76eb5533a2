//! Stores whose queue is not right.

use super::prelude::*;

/// The last token of each job.
type Tokens = Mutex<BTreeMap<JobId, LeaseToken>>;

fn known(tokens: &Tokens, token: LeaseToken) -> LeaseToken {
    locked(tokens).get(&token.job).copied().unwrap_or(token)
}

fn noted(tokens: &Tokens, lease: Option<Lease>) -> Option<Lease> {
    if let Some(lease) = &lease {
        locked(tokens).insert(lease.token.job, lease.token);
    }
    lease
}

/// Numbers of jobs that the store inside does not know.
type Numbers = Mutex<BTreeMap<JobId, u32>>;

fn number(numbers: &Numbers, job: JobId) -> u32 {
    locked(numbers).get(&job).copied().unwrap_or(0)
}

/// Leases, and until when they are.
type Leases = Mutex<BTreeMap<JobId, (Timestamp, Lease)>>;

/// Times of jobs that the store inside does not know.
type Times = Mutex<BTreeMap<JobId, Timestamp>>;

/// A change set with its jobs changed.
fn with_jobs(changes: &ChangeSet, change: impl FnMut(&mut NewJob)) -> ChangeSet {
    let mut draft = Draft::of(changes);
    draft.jobs.iter_mut().for_each(change);
    draft.build()
}

defects! {
    /// M29: a job is looked for and then taken, without looking again.
    DoubleLease { taking: Mutex<Option<Lease>>, meeting: Meeting } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let seen = locked(&self.taking).clone();
            if seen.is_some() {
                self.meeting.wait().await;
                return Ok(seen);
            }
            let lease = self.store.lease(worker, kinds, now, until).await?;
            locked(&self.taking).clone_from(&lease);
            self.meeting.wait().await;
            *locked(&self.taking) = None;
            Ok(lease)
        }
    }

    /// M30: only queued jobs are leased: what a dead worker had stays with it.
    NeverReclaim { } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let lease = self.store.lease(worker, kinds, now, until).await?;
            if let Some(lease) = &lease {
                let ages = now.later_by(i64::from(i32::MAX) * 1_000_000);
                drop(self.store.extend(lease.token, ages).await);
            }
            Ok(lease)
        }
    }

    /// M31: a job is ended by its id alone.
    NoFence { tokens: Tokens } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            Ok(noted(&self.tokens, self.store.lease(worker, kinds, now, until).await?))
        }

        async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            self.store.ack(known(&self.tokens, token), now).await
        }
    }

    /// M100: a commit ends a job by its id alone.
    NoFenceInCommit {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for ack in &mut draft.acks {
                if let JobAck::Leased(token) = ack {
                    *ack = JobAck::Settled(token.job);
                }
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M32: what looks for leases that have expired does not see that the job has ended meanwhile. The list's mutant
    /// is a sweep of its own; here `lease` itself takes them.
    StaleReaper { leases: Leases, ended: Leases } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            if let Some(lease) = self.store.lease(worker, kinds, now, until).await? {
                locked(&self.leases).insert(lease.job.id, (until, lease.clone()));
                return Ok(Some(lease));
            }
            let mut ended = locked(&self.ended);
            let expired = ended.iter().find(|(_, (until, _))| *until <= now).map(|(id, _)| *id);
            Ok(expired.and_then(|id| ended.remove(&id)).map(|(_, lease)| lease))
        }

        async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            self.store.ack(token, now).await?;
            if let Some(lease) = locked(&self.leases).remove(&token.job) {
                locked(&self.ended).insert(token.job, lease);
            }
            Ok(())
        }
    }

    /// M33: an attempt is counted when it fails: what dies with its worker is tried for ever.
    AttemptOnFail { most: Numbers, failed: Numbers } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store
                .commit(&with_jobs(changes, |job| {
                    locked(&self.most).insert(job.id, job.max_attempts);
                    job.max_attempts = u32::MAX;
                }))
                .await
        }

        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            *locked(&self.failed).entry(token.job).or_insert(0) += 1;
            let spent = number(&self.failed, token.job) >= number(&self.most, token.job);
            let retry_at = retry_at.filter(|_| !spent);
            self.store.fail(token, error, now, retry_at).await
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let job = self.store.job(organisation, id).await?;
            Ok(job.map(|job| Job {
                attempts: number(&self.failed, id),
                max_attempts: number(&self.most, id),
                ..job
            }))
        }
    }

    /// M34: a job is tried again for ever.
    EndlessRetry { most: Numbers } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store
                .commit(&with_jobs(changes, |job| {
                    locked(&self.most).insert(job.id, job.max_attempts);
                    job.max_attempts = u32::MAX;
                }))
                .await
        }

        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let mut lease = self.store.lease(worker, kinds, now, until).await?;
            if let Some(lease) = &mut lease {
                lease.job.max_attempts = number(&self.most, lease.job.id);
            }
            Ok(lease)
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let job = self.store.job(organisation, id).await?;
            let max_attempts = number(&self.most, id);
            Ok(job.map(|job| Job { max_attempts, ..job }))
        }
    }

    /// M35: the time of a job is not looked at.
    EarlyRun { due: Times } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store
                .commit(&with_jobs(changes, |job| {
                    locked(&self.due).insert(job.id, job.run_at);
                    job.run_at = job.run_at.min(Timestamp::EPOCH);
                }))
                .await
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let job = self.store.job(organisation, id).await?;
            let due = locked(&self.due).get(&id).copied();
            Ok(job.map(|job| Job { run_at: due.unwrap_or(job.run_at), ..job }))
        }
    }

    /// M101: a failed job is tried again at once.
    NoBackoff {} => {
        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            self.store.fail(token, error, now, retry_at.map(|_| now)).await
        }
    }

    /// M36: a token is good until its time is up, whoever has the job by then.
    WallClockLease { tokens: Tokens, until: Mutex<BTreeMap<(JobId, u32), Timestamp>> } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let lease = noted(&self.tokens, self.store.lease(worker, kinds, now, until).await?);
            if let Some(lease) = &lease {
                locked(&self.until).insert((lease.token.job, lease.token.attempt), until);
            }
            Ok(lease)
        }

        async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            let until = locked(&self.until).get(&(token.job, token.attempt)).copied();
            if until.is_some_and(|until| now < until) {
                return self.store.ack(known(&self.tokens, token), now).await;
            }
            Err(LeaseError::Lost)
        }
    }

    /// M58: a lease is kept by the job's id alone.
    ExtendOthers { tokens: Tokens } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            Ok(noted(&self.tokens, self.store.lease(worker, kinds, now, until).await?))
        }

        async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
            self.store.extend(known(&self.tokens, token), until).await
        }
    }

    /// M102: keeping a lease can shorten it.
    ExtendShortens { until: Times } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let lease = self.store.lease(worker, kinds, now, until).await?;
            if let Some(lease) = &lease {
                locked(&self.until).insert(lease.token.job, until);
            }
            Ok(lease)
        }

        async fn extend(&self, token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
            let before = locked(&self.until).insert(token.job, until);
            if before.is_some_and(|before| until < before) {
                // Queued again from then on is as good as a lease that ends then.
                return self.store.fail(token, "", until, Some(until)).await;
            }
            self.store.extend(token, until).await
        }
    }

    /// M59: a job is ended after the commit of its effect, which stays when the token is lost.
    CompleteSeparately {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            let acks = std::mem::take(&mut draft.acks);
            let outcome = self.store.commit(&draft.build()).await?;
            for ack in acks {
                match ack {
                    JobAck::Leased(token) => {
                        let ended = self.store.ack(token, draft.command.at).await;
                        ended.map_err(|_| CommitError::LeaseLost(token.job))?;
                    }
                    JobAck::Settled(_) | JobAck::Refused(_) => {
                        let mut end = part(&Draft::bare(changes));
                        end.acks.push(ack);
                        self.store.commit(&end.build()).await?;
                    }
                }
            }
            Ok(outcome)
        }
    }

    /// M60: a job that fails and is due again at once goes before all others, again and again.
    HeadOfLine {} => {
        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            let first = Timestamp::EPOCH.later_by(i64::from(i32::MIN) * 1_000_000);
            let retry_at = retry_at.map(|due| if due <= now { first } else { due });
            self.store.fail(token, error, now, retry_at).await
        }
    }

    /// M103: one job at a time: a long one holds up all others.
    OneAtATime { running: Times } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            if locked(&self.running).values().any(|until| now < *until) {
                return Ok(None);
            }
            let lease = self.store.lease(worker, kinds, now, until).await?;
            if let Some(lease) = &lease {
                locked(&self.running).insert(lease.job.id, until);
            }
            Ok(lease)
        }

        async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            locked(&self.running).remove(&token.job);
            self.store.ack(token, now).await
        }

        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            locked(&self.running).remove(&token.job);
            self.store.fail(token, error, now, retry_at).await
        }
    }

    /// M104: of the jobs that are due when they are born, the one with the smallest id comes first.
    DueById { due: Times } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let at = changes.command().at;
            self.store
                .commit(&with_jobs(changes, |job| {
                    locked(&self.due).insert(job.id, job.run_at);
                    if job.run_at <= at {
                        job.run_at = job.run_at.min(Timestamp::EPOCH);
                    }
                }))
                .await
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let job = self.store.job(organisation, id).await?;
            let due = locked(&self.due).get(&id).copied();
            Ok(job.map(|job| Job { run_at: due.unwrap_or(job.run_at), ..job }))
        }
    }

    /// M105: progress is what was told last.
    ProgressBack { told: Mutex<BTreeMap<JobId, Progress>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await?;
            for step in changes.parts().progress {
                locked(&self.told).insert(step.job, step.progress);
            }
            Ok(outcome)
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let job = self.store.job(organisation, id).await?;
            let told = locked(&self.told).get(&id).copied();
            Ok(job.map(|job| Job { progress: told.unwrap_or(job.progress), ..job }))
        }
    }

    /// M106: progress is not kept.
    NoProgress {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            draft.progress.clear();
            self.store.commit(&draft.build()).await
        }
    }

    /// M107: a job that is queued again counts its leases anew, so that old tokens are good again.
    RequeueKeepsTokens { before: Numbers, leases: Numbers } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let mut lease = self.store.lease(worker, kinds, now, until).await?;
            if let Some(lease) = &mut lease {
                locked(&self.leases).insert(lease.token.job, lease.token.attempt);
                lease.token.attempt -= number(&self.before, lease.token.job);
            }
            Ok(lease)
        }

        async fn ack(&self, mut token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            token.attempt += number(&self.before, token.job);
            self.store.ack(token, now).await
        }

        async fn extend(&self, mut token: LeaseToken, until: Timestamp) -> Result<(), LeaseError> {
            token.attempt += number(&self.before, token.job);
            self.store.extend(token, until).await
        }

        async fn fail(&self, mut token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            token.attempt += number(&self.before, token.job);
            self.store.fail(token, error, now, retry_at).await
        }

        async fn requeue(&self, organisation: OrganisationId, id: JobId, run_at: Timestamp) -> Read<bool> {
            let was_dead = self.store.requeue(organisation, id, run_at).await?;
            if was_dead {
                let leases = number(&self.leases, id);
                locked(&self.before).insert(id, leases);
            }
            Ok(was_dead)
        }
    }

    /// M108: says of any job that it was dead.
    RequeueAnything {} => {
        async fn requeue(&self, organisation: OrganisationId, id: JobId, run_at: Timestamp) -> Read<bool> {
            self.store.requeue(organisation, id, run_at).await.map(|_| true)
        }
    }

    /// M109: a job that is taken over again is queued again.
    EnqueueAgain { tokens: Tokens } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            Ok(noted(&self.tokens, self.store.lease(worker, kinds, now, until).await?))
        }

        async fn enqueue(&self, organisation: OrganisationId, job: &NewJob, now: Timestamp) -> Read<()> {
            let token = locked(&self.tokens).get(&job.id).copied();
            if let Some(token) = token {
                drop(self.store.fail(token, "", now, Some(job.run_at)).await);
            }
            self.store.enqueue(organisation, job, now).await
        }
    }

    /// M203: what runs is not listed as open.
    OnlyWaiting {} => {
        async fn open_jobs(&self, organisation: OrganisationId, page: &PageRequest) -> Read<Page<Job>> {
            let mut found = self.store.open_jobs(organisation, page).await?;
            found.items.retain(|job| job.state == JobState::Queued);
            Ok(found)
        }
    }

    /// M207: what was refused is not listed as over.
    OnlyDone {} => {
        async fn over_jobs(&self, organisation: OrganisationId, page: &PageRequest) -> Read<Page<Job>> {
            let mut found = self.store.over_jobs(organisation, page).await?;
            found.items.retain(|job| job.state == JobState::Succeeded);
            Ok(found)
        }
    }

    /// M110: dead jobs are not listed.
    DeadHidden {} => {
        async fn dead_jobs(&self, _: OrganisationId, _: &PageRequest) -> Read<Page<Job>> {
            Ok(Page { items: Vec::new(), total: Some(0), next: None })
        }
    }

    /// M111: why an attempt failed is not kept.
    LostError {} => {
        async fn fail(&self, token: LeaseToken, _: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            self.store.fail(token, "", now, retry_at).await
        }
    }

    /// M112: what was refused has succeeded.
    RefusedSucceeds {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for ack in &mut draft.acks {
                if let JobAck::Refused(job) = ack {
                    *ack = JobAck::Settled(*job);
                }
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M183: a worker gets jobs of any kind.
    AnyKind {} => {
        async fn lease(&self, worker: &str, _: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            self.store.lease(worker, JobKind::ALL, now, until).await
        }
    }

    /// M184: a job that is handed back has used up an attempt.
    HandBackCosts {} => {
        async fn release(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            let job = self.store.job(token.organisation, token.job).await?;
            let error = job.and_then(|job| job.last_error).unwrap_or_default();
            self.store.fail(token, &error, now, Some(now)).await
        }
    }

    /// M185: dead jobs are purged with those that are over.
    DeadPurged {} => {
        async fn purge_jobs(&self, organisation: OrganisationId, which: EndedJobs, before: Timestamp, limit: u32) -> Read<u64> {
            if which == EndedJobs::Over {
                self.store.purge_jobs(organisation, EndedJobs::Dead, before, limit).await?;
            }
            self.store.purge_jobs(organisation, which, before, limit).await
        }
    }
}

/// When the jobs of one organisation are told to be due, and when they are kept as due: a moment later, so that they come after
/// those of the others.
fn later(organisation: OrganisationId, at: Timestamp) -> Timestamp {
    at.later_by(i64::from(organisation.as_uuid().as_u128() > 0xA))
}

fn told(mut job: Job) -> Job {
    job.run_at = job
        .run_at
        .later_by(-i64::from(job.organisation.as_uuid().as_u128() > 0xA));
    job
}

defects! {
    /// M290: of jobs that are due equally long, those of one organisation come first.
    DueByOrganisation {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let whose = changes.organisation();
            self.store.commit(&with_jobs(changes, |job| job.run_at = later(whose, job.run_at))).await
        }

        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let lease = self.store.lease(worker, kinds, now.later_by(1), until).await?;
            Ok(lease.map(|lease| Lease { job: told(lease.job), ..lease }))
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            Ok(self.store.job(organisation, id).await?.map(told))
        }
    }

    /// M291: a job that failed runs again now at the earliest, whatever was said.
    EarlyRetry {} => {
        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            self.store.fail(token, error, now, retry_at.map(|at| at.max(now))).await
        }
    }

    /// M292: asked for no kind, a worker gets any.
    NoKindIsAny {} => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let kinds = if kinds.is_empty() { JobKind::ALL } else { kinds };
            self.store.lease(worker, kinds, now, until).await
        }
    }

    /// M293: what runs is not counted as unfinished.
    UnfinishedWaits { running: Mutex<BTreeMap<JobId, JobKind>> } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            let lease = self.store.lease(worker, kinds, now, until).await?;
            if let Some(lease) = &lease {
                locked(&self.running).insert(lease.job.id, lease.job.task.kind());
            }
            Ok(lease)
        }

        async fn unfinished(&self, organisation: OrganisationId, kind: JobKind) -> Read<u64> {
            let all = self.store.unfinished(organisation, kind).await?;
            let running = locked(&self.running).values().filter(|it| **it == kind).count();
            Ok(all.saturating_sub(u64::try_from(running).unwrap_or(u64::MAX)))
        }
    }

    /// M294: a lease is live at the very moment that it ends.
    ExpiresLate {} => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            self.store.lease(worker, kinds, now, until.later_by(1)).await
        }
    }

    /// M295: whoever hands a job back need not have it.
    ReleaseAnyToken { tokens: Tokens } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            Ok(noted(&self.tokens, self.store.lease(worker, kinds, now, until).await?))
        }

        async fn release(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
            match self.store.release(known(&self.tokens, token), now).await {
                Err(LeaseError::Lost) => Ok(()),
                outcome => outcome,
            }
        }
    }

    /// M296: whoever gives a job up need not have it.
    FailAnyToken { tokens: Tokens } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            Ok(noted(&self.tokens, self.store.lease(worker, kinds, now, until).await?))
        }

        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            self.store.fail(known(&self.tokens, token), error, now, retry_at).await
        }
    }

    /// M297: a job that may not be tried at all is tried once.
    ZeroTries {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            self.store.commit(&with_jobs(changes, |job| job.max_attempts = job.max_attempts.max(1))).await
        }
    }

    /// M298: an error is kept as long as it is.
    LongErrors { errors: Mutex<BTreeMap<JobId, String>> } => {
        async fn fail(&self, token: LeaseToken, error: &str, now: Timestamp, retry_at: Option<Timestamp>) -> Result<(), LeaseError> {
            self.store.fail(token, error, now, retry_at).await?;
            locked(&self.errors).insert(token.job, error.to_owned());
            Ok(())
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let job = self.store.job(organisation, id).await?;
            let error = locked(&self.errors).get(&id).cloned();
            Ok(job.map(|job| Job { last_error: error.or(job.last_error), ..job }))
        }
    }

    /// M299: a job that is queued again forgets why it failed.
    RequeueForgets { requeued: Mutex<BTreeSet<JobId>> } => {
        async fn requeue(&self, organisation: OrganisationId, id: JobId, run_at: Timestamp) -> Read<bool> {
            locked(&self.requeued).insert(id);
            self.store.requeue(organisation, id, run_at).await
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let forgotten = locked(&self.requeued).contains(&id);
            let job = self.store.job(organisation, id).await?;
            Ok(job.map(|job| Job { last_error: job.last_error.filter(|_| !forgotten), ..job }))
        }
    }

    /// M300: settling ends only what runs.
    SettlesRunning {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            let mut kept = Vec::new();
            for ack in draft.acks {
                if let JobAck::Settled(id) = ack
                    && let Some(job) = self.store.job(draft.organisation, id).await?
                    && job.state == JobState::Queued
                {
                    continue;
                }
                kept.push(ack);
            }
            draft.acks = kept;
            self.store.commit(&draft.build()).await
        }
    }

    /// M301: an ack says nothing to a job that is born in the same commit.
    BornAfterAcks {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            let born: BTreeSet<JobId> = draft.jobs.iter().map(|job| job.id).collect();
            draft.acks.retain(|ack| !matches!(ack, JobAck::Settled(job) if born.contains(job)));
            self.store.commit(&draft.build()).await
        }
    }

    /// M302: with as much done as before, the total stays.
    TotalStays { told: Mutex<BTreeMap<JobId, Progress>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for step in &mut draft.progress {
                let before = locked(&self.told).get(&step.job).copied().unwrap_or_default();
                if step.progress.done == before.done && before.total > 0 {
                    step.progress.total = before.total;
                }
                if step.progress.done >= before.done {
                    locked(&self.told).insert(step.job, step.progress);
                }
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M303: jobs that ended at the very moment are purged.
    PurgesAtMoment {} => {
        async fn purge_jobs(&self, organisation: OrganisationId, which: EndedJobs, before: Timestamp, limit: u32) -> Read<u64> {
            self.store.purge_jobs(organisation, which, before.later_by(1), limit).await
        }
    }

    /// M304: all jobs that may be purged are, however few were to be.
    PurgesAllJobs {} => {
        async fn purge_jobs(&self, organisation: OrganisationId, which: EndedJobs, before: Timestamp, _: u32) -> Read<u64> {
            self.store.purge_jobs(organisation, which, before, MAX_PAGE).await
        }
    }

    /// M305: no job is ever purged.
    PurgesNoJob {} => {
        async fn purge_jobs(&self, _: OrganisationId, _: EndedJobs, _: Timestamp, _: u32) -> Read<u64> {
            Ok(0)
        }
    }

    /// M306: ids of jobs are unique in all organisations together.
    GlobalJobIds { jobs: Mutex<BTreeMap<JobId, OrganisationId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let whose = changes.organisation();
            for job in changes.parts().jobs {
                if locked(&self.jobs).get(&job.id).is_some_and(|of| *of != whose) {
                    return Err(CommitError::Conflict(vec![Conflict::JobExists(job.id)]));
                }
            }
            let outcome = self.store.commit(changes).await?;
            locked(&self.jobs).extend(changes.parts().jobs.iter().map(|job| (job.id, whose)));
            Ok(outcome)
        }
    }

    /// M307: a lease that has expired has been due since the job was, not since its own end.
    ExpiredIsOldest { untils: Times } => {
        async fn lease(&self, worker: &str, kinds: &[JobKind], now: Timestamp, until: Timestamp) -> Read<Option<Lease>> {
            // What has run out is taken before all that waits, however long that has been due.
            let expired: Vec<JobId> = locked(&self.untils).iter().filter(|(_, until)| **until <= now).map(|(job, _)| *job).collect();
            let mut others = Vec::new();
            let mut found = None;
            while let Some(lease) = self.store.lease(worker, kinds, now, until).await? {
                if expired.is_empty() || expired.contains(&lease.token.job) {
                    found = Some(lease);
                    break;
                }
                others.push(lease);
            }
            for other in others {
                if found.is_none() {
                    found = Some(other);
                } else {
                    drop(self.store.fail(other.token, "", now, Some(other.job.run_at)).await);
                }
            }
            if let Some(lease) = &found {
                locked(&self.untils).insert(lease.token.job, until);
            }
            Ok(found)
        }
    }
}
