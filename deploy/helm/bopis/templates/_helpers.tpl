{{- define "bopis.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "bopis.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "bopis.selector" -}}
app.kubernetes.io/name: bopis
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "bopis.labels" -}}
{{ include "bopis.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Settings of every part; `own` are the settings of one part. */}}
{{- define "bopis.environment" -}}
- name: BOPIS_BROKER
  value: {{ .root.Values.broker | quote }}
- name: BOPIS_DATABASE
  valueFrom: {secretKeyRef: {name: {{ .root.Values.secret | quote }}, key: database}}
- name: BOPIS_KEYS_DATABASE
  valueFrom: {secretKeyRef: {name: {{ .root.Values.secret | quote }}, key: keys-database}}
- name: BOPIS_MASTER_KEY_FILE
  value: /etc/bopis/master/master.key
{{- range $name, $value := merge (dict) (.own | default dict) .root.Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "bopis.mounts" -}}
- {name: data, mountPath: /var/lib/bopis}
- {name: temporary, mountPath: /tmp}
- {name: master, mountPath: /etc/bopis/master, readOnly: true}
{{- range .root.Values.mountedSecrets }}
- {name: {{ printf "secret-%s" . | quote }}, mountPath: {{ printf "/etc/bopis/%s" . | quote }}, readOnly: true}
{{- end }}
{{- end }}

{{/* `data` is not among them: a StatefulSet claims a volume for it. */}}
{{- define "bopis.volumes" -}}
- name: temporary
  emptyDir: {}
- name: master
  secret:
    secretName: {{ .root.Values.secret | quote }}
    defaultMode: 0440
    items: [{key: master.key, path: master.key}]
{{- range .root.Values.mountedSecrets }}
- name: {{ printf "secret-%s" . | quote }}
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "bopis.pod" -}}
serviceAccountName: {{ include "bopis.name" .root }}
automountServiceAccountToken: false
# Kubernetes would set variables such as BOPIS_WEB_PORT for the services of the namespace, which are settings here.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- else }}
# Pods of one part on different machines, where there are some.
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "bopis.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{- define "bopis.container" -}}
image: {{ include "bopis.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Brings the tables to the version of the image; pods that start together wait for each other. */}}
{{- define "bopis.tables" -}}
- name: tables
  args: [db, upgrade]
  {{- include "bopis.container" . | nindent 2 }}
  env: {{- include "bopis.environment" . | nindent 4 }}
  volumeMounts: {{- include "bopis.mounts" . | nindent 4 }}
{{- end }}
