//! What can not be resolved is told, not tried for ever; every phase has a way out.
