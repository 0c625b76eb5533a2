//! The queue, over an engine's way to read and to write.

/// Implements the queue of a store whose engine is one, for each store by itself like
/// [`keep_repository`](super::keep_repository).
macro_rules! keep_job_queue {
    ($store:ty) => {
        const _: () = {
            use $crate::sql::names::*;

            #[$crate::sql::names::async_trait]
            impl JobQueue for $store {
                #[inline(never)]
                async fn lease(
                    &self,
                    worker: &str,
                    kinds: &[JobKind],
                    now: Timestamp,
                    until: Timestamp,
                ) -> Result<Option<Lease>, StoreError> {
                    let (worker, kinds) = (worker.to_owned(), kinds.to_vec());
                    self.write("lease", move |t| {
                        let (worker, kinds) = (worker.clone(), kinds.clone());
                        Box::pin(async move { jobs::lease(t, &worker, &kinds, now, until).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn extend(
                    &self,
                    token: LeaseToken,
                    until: Timestamp,
                ) -> Result<(), LeaseError> {
                    self.write("extend", move |t| {
                        Box::pin(async move { jobs::extend(t, token, until).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn ack(&self, token: LeaseToken, now: Timestamp) -> Result<(), LeaseError> {
                    self.write("ack", move |t| {
                        Box::pin(async move { jobs::ack(t, token, now).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn fail(
                    &self,
                    token: LeaseToken,
                    error: &str,
                    now: Timestamp,
                    retry_at: Option<Timestamp>,
                ) -> Result<(), LeaseError> {
                    let error = error.to_owned();
                    self.write("fail", move |t| {
                        let error = error.clone();
                        Box::pin(async move { jobs::fail(t, token, &error, now, retry_at).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn release(
                    &self,
                    token: LeaseToken,
                    now: Timestamp,
                ) -> Result<(), LeaseError> {
                    self.write("release", move |t| {
                        Box::pin(async move { jobs::release(t, token, now).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn job(
                    &self,
                    organisation: OrganisationId,
                    id: JobId,
                ) -> Result<Option<Job>, StoreError> {
                    self.read("job", move |s| {
                        Box::pin(async move { jobs::job(s, organisation, id).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn unfinished(
                    &self,
                    organisation: OrganisationId,
                    kind: JobKind,
                ) -> Result<u64, StoreError> {
                    self.read("unfinished", move |s| {
                        Box::pin(async move { jobs::unfinished(s, organisation, kind).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn open_jobs(
                    &self,
                    organisation: OrganisationId,
                    page: &PageRequest,
                ) -> Result<Page<Job>, StoreError> {
                    let page = page.clone();
                    self.read("open_jobs", move |s| {
                        Box::pin(async move { jobs::open_jobs(s, organisation, &page).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn dead_jobs(
                    &self,
                    organisation: OrganisationId,
                    page: &PageRequest,
                ) -> Result<Page<Job>, StoreError> {
                    let page = page.clone();
                    self.read("dead_jobs", move |s| {
                        Box::pin(async move { jobs::dead_jobs(s, organisation, &page).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn over_jobs(
                    &self,
                    organisation: OrganisationId,
                    page: &PageRequest,
                ) -> Result<Page<Job>, StoreError> {
                    let page = page.clone();
                    self.read("over_jobs", move |s| {
                        Box::pin(async move { jobs::over_jobs(s, organisation, &page).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn requeue(
                    &self,
                    organisation: OrganisationId,
                    id: JobId,
                    run_at: Timestamp,
                ) -> Result<bool, StoreError> {
                    self.write("requeue", move |t| {
                        Box::pin(async move { jobs::requeue(t, organisation, id, run_at).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn purge_jobs(
                    &self,
                    organisation: OrganisationId,
                    which: EndedJobs,
                    before: Timestamp,
                    limit: u32,
                ) -> Result<u64, StoreError> {
                    self.write("purge_jobs", move |t| {
                        Box::pin(
                            async move { jobs::purge(t, organisation, which, before, limit).await },
                        )
                    })
                    .await
                }

                #[inline(never)]
                async fn enqueue(
                    &self,
                    organisation: OrganisationId,
                    job: &NewJob,
                    now: Timestamp,
                ) -> Result<(), StoreError> {
                    let job = job.clone();
                    self.write("enqueue", move |t| {
                        let job = job.clone();
                        Box::pin(async move { jobs::enqueue(t, organisation, &job, now).await })
                    })
                    .await
                }
            }
        };
    };
}

pub(crate) use keep_job_queue;
