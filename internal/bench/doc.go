// Package bench measures what the stages cost.
package bench
