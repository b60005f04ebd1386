// A bank's service in Go behind consent-guard. It listens on loopback only: whoever reaches it has come by way of the proxy.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// Access is the header Consent-Access: what may be given out.
type Access struct {
	V               int               `json:"v"`
	Entry           int64             `json:"entry"`
	Recipient       string            `json:"recipient"`
	ConsentID       string            `json:"consent_id"`
	Accounts        map[string]string `json:"accounts"`
	Permissions     []string          `json:"permissions"`
	Purpose         string            `json:"purpose"`
	CustomerPresent bool              `json:"customer_present"`
	From            int64             `json:"from"`
	To              int64             `json:"to"`
	Directions      []string          `json:"directions"`
	Masks           []string          `json:"masks"`
	Filters         []json.RawMessage `json:"filters"`
	KeepUntil       *int64            `json:"keep_until"`
}

type row struct {
	Booked    int64  `json:"-"`
	Direction string `json:"direction"`
	Card      string `json:"card"`
	Amount    string `json:"amount"`
}

var rows = []row{
	{100, "credit", "4000123412341234", "12.00"},
	{200, "debit", "4000123412341234", "8.50"},
	{300, "credit", "4000123412341234", "99.00"},
}

// read gives the access of a request. A member that this service does not know may be an obligation: then nothing goes out.
func read(request *http.Request) (*Access, bool) {
	told := request.Header.Values("Consent-Access")
	if len(told) != 1 {
		return nil, false
	}
	decoder := json.NewDecoder(strings.NewReader(told[0]))
	decoder.DisallowUnknownFields()
	var access Access
	if decoder.Decode(&access) != nil || access.V != 1 || len(access.Filters) > 0 {
		return nil, false
	}
	return &access, true
}

func guarded(give func(*Access, string) any) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		access, known := read(request)
		if !known {
			http.Error(answer, "no access that this service can apply", http.StatusServiceUnavailable)
			return
		}
		own, mine := access.Accounts[request.PathValue("account")]
		if !mine {
			http.Error(answer, "the access is about another account", http.StatusForbidden)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(answer).Encode(give(access, own)); err != nil {
			log.Print(err)
		}
	}
}

func transactions(access *Access, _ string) any {
	given := []row{}
	for _, one := range rows {
		inside := one.Booked >= access.From && (access.To == 0 || one.Booked <= access.To)
		if !inside || !slices.Contains(access.Directions, one.Direction) {
			continue
		}
		if slices.Contains(access.Masks, "pan") {
			one.Card = strings.Repeat("*", len(one.Card)-4) + one.Card[len(one.Card)-4:]
		}
		given = append(given, one)
	}
	return given
}

func main() {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /accounts/{account}/balances", guarded(func(_ *Access, own string) any {
		return map[string]string{"account": own, "balance": "99.50"}
	}))
	routes.HandleFunc("GET /accounts/{account}/transactions", guarded(transactions))
	server := http.Server{Addr: os.Args[1], Handler: routes, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 256 << 10}
	log.Fatal(server.ListenAndServe())
}
