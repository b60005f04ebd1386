{{- define "ledger.labels" -}}
app.kubernetes.io/name: consent-ledger
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "ledger.selector" -}}
app.kubernetes.io/name: consent-ledger
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ledger.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "ledger.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "ledger.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "ledger.settings" -}}
- { name: PGPASSFILE, value: /run/ledger-keys/pgpass }
- { name: CONSENT_LEDGER_LOG_KEY_FILE, value: /run/ledger-keys/log.key }
- { name: CONSENT_LEDGER_KEK_FILE, value: /run/ledger-keys/kek }
- { name: CONSENT_LEDGER_TOKEN_KEY_FILE, value: /run/ledger-keys/token.key }
- { name: CONSENT_LEDGER_EVENT_KEY_FILE, value: /run/ledger-keys/event.key }
- { name: CONSENT_LEDGER_OPERATOR_JWKS_FILE, value: /run/ledger-keys/operator.jwks.json }
- { name: CONSENT_LEDGER_HOST, value: 0.0.0.0 }
- { name: CONSENT_LEDGER_PUBLIC_URL, value: {{ .Values.publicUrl | quote }} }
- { name: CONSENT_LEDGER_BEHIND_TLS_PROXY, value: "true" }
- { name: CONSENT_LEDGER_TRUSTED_PROXIES, value: {{ .Values.trustedProxies | quote }} }
- { name: CONSENT_LEDGER_WORKERS, value: {{ .Values.workers | quote }} }
- { name: CONSENT_LEDGER_METRICS_OPEN, value: "true" }
{{- range $name, $value := .Values.settings }}
- { name: CONSENT_LEDGER_{{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}

{{/* Keys are files that only the ledger's own user reads: a copy with mode 0600, since a secret's volume gives the group a look. */}}
{{- define "ledger.keys" -}}
- name: keys
  image: {{ include "ledger.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command:
    - python
    - -c
    - |
      import os, pathlib
      os.umask(0o077)
      for file in pathlib.Path("/run/secret").iterdir():
          if file.is_file():
              (pathlib.Path("/run/ledger-keys") / file.name).write_bytes(file.read_bytes())
  securityContext: {{- include "ledger.containerSecurity" . | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 32Mi }
    limits: { memory: 64Mi }
  volumeMounts:
    - { name: secret, mountPath: /run/secret, readOnly: true }
    - { name: keys, mountPath: /run/ledger-keys }
{{- end }}
