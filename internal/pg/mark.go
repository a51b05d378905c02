package pg

// Mark stands in the statements by which replank itself reads and changes the rows of users. pg_stat_statements keeps
// it, so that they are told apart from those of applications.
const Mark = "/* replank */"
