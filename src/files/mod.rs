//! Places for the files of jobs beside the store ([`Stocktake::with_files`](crate::service::Stocktake::with_files)): a
//! [folder](FolderFiles), and with the feature `object-store` whatever an object store is over, S3, GCS and Azure among them.
//! Who writes another one implements [`FileStore`](crate::store::FileStore).

mod folder;
#[cfg(feature = "object-store")]
mod objects;

pub use folder::FolderFiles;
#[cfg(feature = "object-store")]
pub use objects::ObjectFiles;
