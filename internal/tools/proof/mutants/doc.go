// Package mutants tests the stories under testdata of the workbook. Its table,
// testdata/mistakes here, has mistakes that a reader could make in one step, as patches
// of the real stages, and for each the story that has to lead, the reason that it
// has to give and the hint that has to be under it. There are variants of the stages as
// well which are right, and have to pass. There is nothing in this package but tests.
//
// What takes seconds to see is told by the stories in testdata/slow, to the mutants that
// need it and to the five stages.
//
// These mistakes are not in the table, because neither a visitor nor the system can tell:
//
//   - A buffer of 64 KiB for everybody. Memory that nobody has written to is no memory:
//     300 silent visitors cost as much as before. (Where such buffers are filled,
//     manners/visitors-leave sees more than 16 MiB.)
//   - A close-on-exec flag that is not set. No stage starts a program.
//   - EINTR or ECONNABORTED from accept as failures. The runtime restarts what a
//     signal interrupts, and Linux reports no visitor who has left.
//   - The second socket of blocking.go left open. It is a descriptor more, for good.
//   - Who is dropped from the backlog at the stop. Whether they were accepted before it
//     is chance in a right server, too.
//   - A lock while the reply is written. The socket's buffer takes the whole of it, even if the
//     visitor reads nothing.
//   - A limit on visitors above 1,000, a wait of more than six seconds. Nobody
//     waits so long for a test.
//   - Closing a connection twice, a line of the log for each request, an await whose channel is not
//     closed by defer. They are a matter of taste, and in the table as right.
package mutants
