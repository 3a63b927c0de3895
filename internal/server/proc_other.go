//go:build !linux

package server

import (
	"errors"
	"net"
	"time"
)

// What follows looks into Linux's /proc, and is not to be had elsewhere.

func (s *Server) Threads() (int, error)              { return 0, errors.ErrUnsupported }
func (s *Server) Descriptors() (int, error)          { return 0, errors.ErrUnsupported }
func (s *Server) Memory() (int64, int64, error)      { return 0, 0, errors.ErrUnsupported }
func (s *Server) LimitFiles(int) error               { return errors.ErrUnsupported }
func (s *Server) CPU() (time.Duration, error)        { return 0, errors.ErrUnsupported }
func (s *Server) Asleep() (bool, error)              { return false, errors.ErrUnsupported }
func (s *Server) Zombies() (int, error)              { return 0, errors.ErrUnsupported }
func (s *Server) HasRead(net.Conn) (bool, error)     { return false, errors.ErrUnsupported }
func (s *Server) HasAccepted(net.Conn) (bool, error) { return false, errors.ErrUnsupported }

// Ending says whether the server's process has ended.
func (s *Server) Ending() bool { return s.Exited() }

// Processes are operating system processes. Which ones a process has started is not to be
// had here, nor anything else about them.
type Processes []int

func ProcessTree(pid int) Processes             { return Processes{pid} }
func (p Processes) CPU() (time.Duration, error) { return 0, errors.ErrUnsupported }
func (p Processes) Asleep() (bool, error)       { return false, errors.ErrUnsupported }

// Visitors knows of no connections here.
func Visitors(port int) (remote []uint16, err error) { return nil, errors.ErrUnsupported }
