// SPDX-License-Identifier: BSD-3-Clause

// A web server and client in Go, which makes its own system calls:
// web serve ADDRESS, web ask URL REQUESTS CLIENTS.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
)

func sum(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%x\n", sha256.Sum256(body))
}

func ask(url string, body []byte) bool {
	answer, err := http.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	return err == nil && string(said) == fmt.Sprintf("%x\n", sha256.Sum256(body))
}

func main() {
	if os.Args[1] == "serve" {
		http.HandleFunc("/sum", sum)
		fmt.Println(http.ListenAndServe(os.Args[2], nil))
		os.Exit(1)
	}
	requests, _ := strconv.Atoi(os.Args[3])
	clients, _ := strconv.Atoi(os.Args[4])
	var wait sync.WaitGroup
	var lock sync.Mutex
	good := 0
	for c := 0; c < clients; c++ {
		wait.Add(1)
		go func(c int) {
			defer wait.Done()
			for i := c; i < requests; i += clients {
				if ask(os.Args[2], bytes.Repeat([]byte{byte(i)}, 1000*i)) {
					lock.Lock()
					good++
					lock.Unlock()
				}
			}
		}(c)
	}
	wait.Wait()
	fmt.Println("good", good)
}
