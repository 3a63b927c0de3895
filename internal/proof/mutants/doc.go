// Package mutants tests the tests: it is a collection of small wrong servers, and
// of the stories under testdata that must catch them, each for a reason that is
// named. There is nothing in it but tests, which are the servers as well.
package mutants
