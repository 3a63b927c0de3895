module example.com/concurrent-web-server

go 1.25

require github.com/rogpeppe/go-internal v1.16.0
