package pgtest

import _ "embed"

//go:embed release_database.sql
var releaseDatabaseSQL string
