// Package decisions keeps what people have decided about routes, and how much each application is used, in schema
// replank of the control database.
//
// # Why every gateway knows within a second
//
// Whoever decides adds one to replank.route_version in the same transaction, under that row's lock: a number stands for
// one set of decisions, and a higher one for a later set. Watch hears of it by notification, and asks for the number
// twice a second besides, because a notification can be lost with its connection. It reads rows and number in one
// statement, which sees one snapshot.
//
// # While the database is gone
//
// Watch goes on trying and says so in the log; who watches keeps the decisions it has.
package decisions
