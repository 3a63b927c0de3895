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

// CPU returns how much processor time the processes have used, in user and kernel
// mode together, by the threads that have ended as well. It is exact to the
// microsecond or better, unlike /proc/PID/stat, which counts in ticks of 10 ms. A
// process that has ended counts for nothing; it is an error if all have.
func (p Processes) CPU() (total time.Duration, err error) {
	err = os.ErrProcessDone
	for _, pid := range p {
		// A process has a clock, which others may read: see clock_getcpuclockid(3).
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

// Asleep says whether every thread of the processes is asleep, so that nothing happens
// in them until something comes from outside or a timer runs out. A thread that has
// ended counts for nothing; it is an error if all have.
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
	// This is read most often of all: the calls themselves are half the price of os.ReadFile.
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

// kernelKnowsBest says that the kernel is asked rather than the server.
const kernelKnowsBest = true

// A kernelView is a server as Linux's kernel sees it, in /proc and by netlink.
type kernelView struct {
	pid  int
	tree *Tree
}

func newKernelView(pid int, tree *Tree) view { return kernelView{pid, tree} }

// cpu does not search for new processes. Whoever started one has worked, and a server that has worked
// counts as quiet only after asleep, which does search.
func (k kernelView) cpu() (time.Duration, error) { return k.tree.Known().CPU() }

func (k kernelView) asleep() (bool, error)     { return k.tree.Processes().Asleep() }
func (k kernelView) threads() (int, error)     { return k.count("task") }
func (k kernelView) descriptors() (int, error) { return k.count("fd") }

// count counts the entries of a folder in /proc/PID.
func (k kernelView) count(folder string) (int, error) {
	n := 0
	for _, pid := range k.tree.Processes() {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, folder))
		if err != nil && pid == k.pid {
			return 0, err // of a descendant it means that it has just ended
		}
		n += len(entries)
	}
	return n, nil
}

func (k kernelView) zombies() (int, error) {
	n := 0
	for _, pid := range ProcessTree(k.pid)[1:] {
		if state, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid)); state == "Z" {
			n++
		}
	}
	return n, nil
}

// ending says whether the process has ended or is about to: the kernel marks a process
// that ends before it closes its connections.
func (k kernelView) ending() bool {
	state, rest := readStat(fmt.Sprintf("/proc/%d/stat", k.pid))
	if state == "" {
		return true
	}
	const exiting = 0x4                                 // PF_EXITING, see proc_pid_stat(5)
	flags, err := strconv.Atoi(strings.Fields(rest)[5]) // the 9th field of all
	return err == nil && flags&exiting != 0
}

func (k kernelView) memory() (resident, addresses int64, err error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", k.pid))
	if err == nil {
		_, err = fmt.Sscan(string(statm), &addresses, &resident)
	}
	page := int64(os.Getpagesize())
	return resident * page, addresses * page, err
}

func (k kernelView) limitFiles(n int) error {
	for _, pid := range ProcessTree(k.pid) {
		most := max(n, 0)
		isOpen := func(fd int) bool {
			_, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
			return err == nil
		}
		for n < 0 && isOpen(most) { // the limit is on the numbers of descriptors
			most++
		}
		var limit syscall.Rlimit
		if err := prlimit(pid, nil, &limit); err != nil {
			return err
		}
		limit.Cur = min(uint64(most), limit.Max)
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
