// Package bench measures what each stage costs, beside net/http's own server and
// the cheapest one that the machine allows. Each server is a process of its own,
// as a reader would run it; the visitors are all in the process of the benchmark,
// on the same machine.
//
//	go test -run '^$' -bench . -benchtime 0.2s -count 3 -timeout 20m ./bench
//	go test -run '^$' -bench . -benchtime 0.1s -short ./bench
//
// The second is the quick form. -count 3 repeats the whole round of benchmarks,
// for benchstat to compare servers within seconds of each other:
//
//	benchstat -col /server bench.txt
//
// The package itself reads the output and makes tables of it, those of
// docs/measurements.md.
package bench
