// A witness out of other people's libraries: witness NAME LOG-VKEY
//
// It prints its verifier key and its address, and cosigns what continues the largest tree that it has seen (C2SP tlog-witness).
// Its memory ends with it: it is for tests.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type witness struct {
	mu     sync.Mutex
	log    note.Verifier
	signer *torchwood.CosignatureSigner
	seen   tlog.Tree
}

func refuse(w http.ResponseWriter, status int, why string) { http.Error(w, why, status) }

func (one *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one.mu.Lock()
	defer one.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, 64*1024))
	head, signed, found := strings.Cut(string(body), "\n\n")
	if err != nil || !found || r.URL.Path != "/add-checkpoint" {
		refuse(w, http.StatusBadRequest, "no request")
		return
	}
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "no old size")
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			refuse(w, http.StatusBadRequest, "no hash")
			return
		}
		proof = append(proof, tlog.Hash(hash))
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(one.log))
	if err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	shown, err := torchwood.ParseCheckpoint(opened.Text)
	if err != nil || shown.Origin != one.log.Name() {
		refuse(w, http.StatusBadRequest, "no checkpoint of this log")
		return
	}
	if old != one.seen.N {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", one.seen.N)
		return
	}
	if one.seen.N > 0 {
		if err := tlog.CheckTree(proof, shown.N, shown.Hash, one.seen.N, one.seen.Hash); err != nil {
			refuse(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
	}
	one.seen = shown.Tree
	cosigned, err := note.Sign(&note.Note{Text: opened.Text}, one.signer)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Write(cosigned[len(opened.Text)+1:])
}

func main() {
	log, err := note.NewVerifier(os.Args[2])
	if err != nil {
		panic(err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	signer, err := torchwood.NewCosignatureSigner(os.Args[1], private)
	if err != nil {
		panic(err)
	}
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\nhttp://%s\n", signer.Verifier(), listening.Addr())
	panic(http.Serve(listening, &witness{log: log, signer: signer}))
}
