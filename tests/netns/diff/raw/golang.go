// SPDX-License-Identifier: BSD-3-Clause

// Go with cgo: dynamically linked, with system calls of its own, threads, signals and an event loop on epoll.
package main

// #include <unistd.h>
import "C"

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"sync"
	"time"
)

var host, peer string

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func echoes(conn net.Conn) bool {
	_, err := conn.Write([]byte("ping"))
	must(err)
	got := make([]byte, 4)
	_, err = io.ReadFull(conn, got)
	must(err)
	return string(got) == "ping"
}

func ask(format string, args ...any) string {
	conn, err := net.Dial("tcp", peer+":7000")
	must(err)
	defer conn.Close()
	fmt.Fprintf(conn, format+"\n", args...)
	answer, err := io.ReadAll(conn)
	must(err)
	return string(answer)
}

func clients() {
	var group sync.WaitGroup
	var lock sync.Mutex
	good := 0
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			conn, err := net.Dial("tcp", peer+":7")
			must(err)
			defer conn.Close()
			for j := 0; j < 10; j++ {
				if echoes(conn) {
					lock.Lock()
					good++
					lock.Unlock()
				}
			}
		}()
	}
	group.Wait()
	fmt.Println("clients:", good)
}

func server() {
	listener, err := net.Listen("tcp", host+":0")
	must(err)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4)
				if _, err := io.ReadFull(conn, buf); err == nil {
					conn.Write([]byte("go"))
				}
			}()
		}
	}()
	fmt.Print("server: ", ask("answers %d 30", listener.Addr().(*net.TCPAddr).Port))
	listener.Close()
}

func deadlines() {
	conn, err := net.Dial("tcp", peer+":9")
	must(err)
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	_, err = conn.Read(make([]byte, 1))
	fmt.Println("deadline:", os.IsTimeout(err))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	_, err = new(net.Dialer).DialContext(ctx, "tcp", "10.77.0.99:9")
	fmt.Println("nobody there:", err != nil)
}

func web() {
	listener, err := net.Listen("tcp", host+":0")
	must(err)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.URL.Path) }))
	response, err := http.Get("http://" + listener.Addr().String() + "/there")
	must(err)
	body, err := io.ReadAll(response.Body)
	must(err)
	fmt.Println("web:", response.StatusCode, string(body))
}

func processes() {
	conn, err := net.Dial("tcp", peer+":7")
	must(err)
	defer conn.Close()
	out := []string{}
	for i := 0; i < 5; i++ {
		text, err := exec.Command("sh", "-c", fmt.Sprintf("echo child %d", i)).Output()
		must(err)
		out = append(out, string(text))
	}
	sort.Strings(out)
	fmt.Println(out, echoes(conn))
	file, err := conn.(*net.TCPConn).File()
	must(err)
	command := exec.Command("sh", "-c", "echo ping >&3; head -c 5 <&3")
	command.ExtraFiles = []*os.File{file}
	text, err := command.Output()
	fmt.Printf("passed: %q %v\n", text, err)
}

func datagrams() {
	conn, err := net.Dial("udp", peer+":7")
	must(err)
	defer conn.Close()
	fmt.Println("udp:", echoes(conn))
}

func main() {
	host, peer = os.Args[2], os.Args[3]
	fmt.Println("cgo:", C.getpid() == C.int(os.Getpid()))
	clients()
	server()
	deadlines()
	datagrams()
	web()
	processes()
}
