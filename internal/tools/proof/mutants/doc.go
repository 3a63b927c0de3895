// Package mutants tests the scripts under testdata of the workbook. Its table,
// testdata/mistakes here, has mistakes that a reader could make in one step, as patches
// of the real stages, and for each the script that must fail before all others, the reason
// that it must give, and its hint. testdata/right.txtar has variants of the stages that are
// right, and must pass. testdata/slow has scripts that take longer than a reader wants to wait,
// so that no stage's own test runs them.
//
// These mistakes are not in the table, because neither a visitor nor the system can tell:
//
//   - A buffer of 64 KiB for each visitor. Memory that nobody has written to is not used:
//     300 silent visitors cost as much as before. (If such buffers are filled,
//     manners/visitors-leave sees more than 16 MiB.)
//   - A close-on-exec flag that is not set. No stage starts a program.
//   - EINTR or ECONNABORTED from accept as failures. The runtime restarts what a
//     signal interrupts, and Linux does not report visitors who have left.
//   - The second socket of blocking.go left open. It is one descriptor more, for good.
//   - Visitors dropped from the backlog at the stop. Whether they were accepted before it
//     is chance in a right server, too.
//   - A lock while the reply is written. The socket's buffer takes all of it, even if the
//     visitor reads nothing.
//   - A limit on visitors above 1,000, or a wait of more than six seconds. A test for it
//     would take too long.
package mutants
