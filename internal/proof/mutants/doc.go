// Package mutants tests the stories under testdata. Its table, testdata/*.txtar, has
// mistakes that a reader could make in one step, as patches of the real stages, and for
// each the story that has to lead, the reason that it has to give and the hint that
// has to be under it. There are variants of the stages as well which are right, and
// have to pass. There is nothing in this package but tests.
package mutants
