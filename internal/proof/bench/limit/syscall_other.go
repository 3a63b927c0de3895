//go:build !linux || 386 || s390x

package main

import "syscall"

func accept(fd int) (int, error) {
	conn, _, err := syscall.Accept(fd)
	return conn, err
}

func read(fd int, p []byte)  { syscall.Read(fd, p) }
func write(fd int, p []byte) { syscall.Write(fd, p) }
func closeSocket(fd int)     { syscall.Close(fd) }
