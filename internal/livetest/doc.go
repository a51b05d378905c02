// Package livetest proves, on a real PostgreSQL and through the real engine, that an application may go on reading and
// writing through either shape while a migration is under way, whatever client it is and whatever breaks meanwhile.
// It holds tests only.
//
// It also keeps the index of docs/rules.md: which test holds each rule. TestRulesHaveTests reads it from here and fails
// on a rule without a line, and on a test that is gone.
//
//	1  backfill.TestExactlyOnce backfill.TestTwin
//	2  backfill.TestImages
//	3  backfill.TestLockedRows
//	4  backfill.TestUserTriggers livetest.TestUserTriggersOfEitherKind
//	5  pg.TestRowSecurityIsAnErrorNotAFilter livetest.TestRowSecurity
//	6  livetest.TestWritesThroughEitherShape
//	7  livetest.TestWritesThroughEitherShape livetest.TestAnyClientMayWrite livetest.TestClientWithoutTheSchema
//	8  livetest.TestUserTriggersOfEitherKind
//	9  livetest.TestWritesThroughEitherShape
//	10 livetest.TestSwappedColumnNeedsConsent
//	11 equivalence.TestForms
//	12 livetest.TestLiveWrites equivalence.TestForms
//	13 livetest.TestRowSecurityThroughAVersionSchema
//	14 pg.TestWorkOverTheBudget livetest.TestLockTimeoutIsInForceOnEachTry
//	15 pg.TestAutovacuumGivesWay
//	16 journal.TestZombie migrate.TestKilledAtAnyTime
//	17 livetest.TestLiveWrites
//	18 pg.TestOpenRefusesAPooler livetest.TestBehindPgBouncer
//	19 migrate.TestReplicationIsRefusedUntilSubscribersHaveTheObjects journal.TestLogicalReplication journal.TestEveryTableHasAPrimaryKey
//	20 equivalence.TestForms pgtest.TestPgDump
//	21 livetest.TestEnumValueNeedsConsent
//	22 migrate.TestPlanWritesNothingAndWorksOnAReplica
//	23 migrate.TestDriftStopsComplete
//	24 migrate.TestForeignJournal journal.TestForeignJournal
//	25 livetest.TestDoctorShowsTheColumnBudget
//	26 migrate.TestBlockedFilesWaitAndOthersGoOn
//	27 migrate.TestFailingStepTakesTheFileBack
//	28 ddl.TestClientErrors
//	29 livetest.TestSmallTablesAreChangedPlainly
//	30 NOT YET: moves
//	31 NOT YET: moves
package livetest
