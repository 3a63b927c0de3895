module example.com/concurrent-web-server

go 1.25
