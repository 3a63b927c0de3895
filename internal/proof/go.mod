module example.com/concurrent-web-server/internal/proof

go 1.25

require (
	example.com/concurrent-web-server v0.0.0
	github.com/creack/pty v1.1.24
	github.com/hexops/gotextdiff v1.0.3
	github.com/rogpeppe/go-internal v1.16.0
	github.com/yuin/goldmark v1.8.7
)

require (
	golang.org/x/sys v0.26.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)

replace example.com/concurrent-web-server => ../..
