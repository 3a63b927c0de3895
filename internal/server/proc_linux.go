//go:build !portable

package server

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Processes are operating system processes, looked at together.
type Processes []int

// ProcessTree returns processes and their descendants. It looks at the parent of every
// process: the lists of children in /proc miss some while others end, see proc_pid_task(5).
func ProcessTree(roots ...int) Processes {
	all, _ := os.ReadDir("/proc")
	children := map[int][]int{}
	for _, entry := range all {
		if child, err := strconv.Atoi(entry.Name()); err == nil {
			_, rest := readStat("/proc/" + entry.Name() + "/stat")
			parent, _, _ := strings.Cut(rest, " ")
			n, _ := strconv.Atoi(parent)
			children[n] = append(children[n], child)
		}
	}
	pids := append(Processes{}, roots...)
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids
}

// CPU returns the processor time that the processes have used, in user and kernel mode together,
// including threads that have ended. It is exact to the microsecond, unlike /proc/PID/stat, which
// counts in ticks of 10 ms. It leaves out processes that have ended; if all have, the error is
// os.ErrProcessDone.
func (p Processes) CPU() (total time.Duration, err error) {
	err = os.ErrProcessDone
	for _, pid := range p {
		// Every process has a clock that others may read: see clock_getcpuclockid(3).
		const schedClock = 2
		clock := ^pid<<3 | schedClock
		var used syscall.Timespec
		_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&used)), 0)
		if errno == 0 {
			total, err = total+time.Duration(used.Nano()), nil
		}
	}
	return total, err
}

// Asleep says whether every thread of the processes is asleep, so that nothing happens in them
// until something comes from outside or a timer runs out. It leaves out threads that have ended; if
// all have, the error is os.ErrProcessDone.
func (p Processes) Asleep() (bool, error) {
	err := os.ErrProcessDone
	for _, pid := range p {
		for _, file := range ofThreads(pid, "stat") {
			switch state, _ := readStat(file); state {
			case "R", "D":
				return false, nil
			case "", "Z", "X": // it has ended
			default:
				err = nil
			}
		}
	}
	return err == nil, err
}

// ofThreads returns the files of a name in /proc/PID/task, one for each thread.
func ofThreads(pid int, name string) (files []string) {
	folder := fmt.Sprintf("/proc/%d/task/", pid)
	threads, _ := os.ReadDir(folder)
	for _, thread := range threads {
		files = append(files, folder+thread.Name()+"/"+name)
	}
	return files
}

// readStat returns the state from a file such as /proc/PID/stat, and the fields that
// follow it; the state is empty if the process or thread has ended.
func readStat(file string) (state string, rest string) {
	// No other file is read as often: system calls take half the time of os.ReadFile.
	fd, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", ""
	}
	defer syscall.Close(fd)
	stat := make([]byte, 512)
	n, _ := syscall.Read(fd, stat)
	stat = stat[:max(n, 0)]
	// The second field is the name in parentheses, which may hold anything.
	fields := string(bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:]))
	state, rest, _ = strings.Cut(fields, " ")
	return state, rest
}

// A kernelView is a server as Linux's kernel sees it, in /proc and by netlink.
type kernelView struct {
	pid  int
	tree *Tree
}

func newKernelView(pid int, tree *Tree) view { return kernelView{pid, tree} }

// cpu does not search for new processes. A server that has started one has used processor time,
// and counts as quiet only after asleep, which does search.
func (k kernelView) cpu() (time.Duration, error) { return k.tree.Known().CPU() }

func (k kernelView) asleep() (bool, error) { return k.tree.Processes().Asleep() }

func (k kernelView) count(what Resource) (n int, err error) {
	switch what {
	case Threads:
		return k.entries("task")
	case Descriptors:
		return k.entries("fd")
	case Zombies:
		for _, pid := range ProcessTree(k.pid)[1:] {
			if state, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid)); state == "Z" {
				n++
			}
		}
		return n, nil
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", k.pid))
	var addresses, resident int // in pages
	if err == nil {
		_, err = fmt.Sscan(string(statm), &addresses, &resident)
	}
	if what == Memory {
		return resident * os.Getpagesize(), err
	}
	return addresses * os.Getpagesize(), err
}

// entries returns how many entries a folder in /proc/PID has, of all processes together.
func (k kernelView) entries(folder string) (n int, err error) {
	for _, pid := range k.tree.Processes() {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, folder))
		if err != nil && pid == k.pid {
			return 0, err // but a descendant may have ended
		}
		n += len(entries)
	}
	return n, nil
}

// ending says whether the process has ended or is about to: the kernel marks it before it closes
// its connections.
func (k kernelView) ending() bool {
	state, rest := readStat(fmt.Sprintf("/proc/%d/stat", k.pid))
	if state == "" {
		return true
	}
	const exiting = 0x4                                 // PF_EXITING, see proc_pid_stat(5)
	flags, err := strconv.Atoi(strings.Fields(rest)[5]) // the 9th field of all
	return err == nil && flags&exiting != 0
}

func (k kernelView) limitFiles(n int) error {
	for _, pid := range ProcessTree(k.pid) {
		files := max(n, 0)
		isOpen := func(fd int) bool {
			_, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
			return err == nil
		}
		for n < 0 && isOpen(files) { // the limit is on the numbers of descriptors
			files++
		}
		var limit syscall.Rlimit
		if err := prlimit(pid, nil, &limit); err != nil {
			return err
		}
		limit.Cur = min(uint64(files), limit.Max)
		if err := prlimit(pid, &limit, nil); err != nil {
			return err
		}
	}
	return nil
}

func prlimit(pid int, set, get *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_NOFILE,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("prlimit", errno)
	}
	return nil
}
