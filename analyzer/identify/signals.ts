/**
 * Content of a request line that ordinary clients do not send. Each rule names a shape that the sites we know of do not
 * link to: a word alone ("select", "union", "admin") never fires, its place in a hostile shape does.
 *
 * Cost: one pass over the characters tells which tables can match at all; most paths match none. Results are cached
 * per request target by the caller.
 */
import { Signal } from '../observation.ts';

/** Longest target looked at; what hides behind it is a header bomb, which is a signal of its own. */
const maxTargetLength = 4096;

/** Names that nothing on a site may answer to, and that lists of names to try have in common; `panels` and the files of secrets beside. */
const triedNames =
  /^\/+(?:admin\w{0,10}|administrat\w{2,8}|backups?|bak|old|new|test\w{0,6}|dev|develop\w{0,6}|staging|stage|beta|tmp|temp|private|secrets?|hidden|intern(?:al|et)?|intranet|extranet|database|db|sql|mysql|dump|dumps|logs?|conf|configs?|configuration|cfg|setup|install\w{0,6}|upgrade|cpanel|panel|cgi|cgi-bin|scripts|includes?|inc|lib|libs|src|vendor|node_modules|upload|uploads|console|debug|webmail|phpmyadmin|pma|shell|cmd|server|git|svn|cvs|root|passwords?|passwd|users|members|manager|swagger\w{0,6}|graphql|actuator|jenkins|solr|wordpress|wp|drupal|joomla)(?:\/|\.\w{2,4})?$/;
/** Scripts by a name of few letters and figures at the top or among the parts of a product, where shells are left; what plug-ins and themes say of themselves. */
const leftBehind =
  /^\/+(?:(?:wp-(?:content|includes|admin)\/(?:[\w-]{1,40}\/){0,4})?[\w-]{1,18}\.(?:php\d?|phtml|aspx?|jspx?|cgi|pl|cfm)|(?:wp-content|modules|plugins|components|sites\/all)\/[\w/.-]{1,120}\/(?:readme|changelog|license)\.(?:txt|md))$/;

/** True for names that scanners ask every site for: one alone means nothing. `path` lower case. */
export function isTriedName(path: string): boolean {
  return triedNames.test(path) || leftBehind.test(path) || panels.test(path);
}

export interface ContentSignals {
  /** `Signal` bits whatever the answer was. */
  always: number;
  /** Bits that count only when the request was refused: the same path is ordinary where such software runs. */
  whenRefused: number;
}

interface Rule {
  bit: number;
  pattern: RegExp;
}

/** On the path of paths that hold a dot file or a telling extension. */
const fileRules: readonly Rule[] = [
  {
    bit: Signal.sensitiveFile,
    pattern:
      /\/\.(env|awscfg|git|gitignore|gitconfig|git-credentials|svn|hg|bzr|cvs|cvsignore|ssh|aws|azure|gcloud|docker|dockercfg|dockerenv|kube|npmrc|pypirc|netrc|htpasswd|htaccess|passwd|pgpass|my\.cnf|bash_history|bash_profile|bashrc|zsh_history|zshrc|mysql_history|psql_history|sh_history|history|profile|forward|rhosts|config|cache|ds_store|idea|vscode|vagrant|terraform|travis\.yml|gitlab-ci\.yml|circleci|s3cfg|boto|credentials|secrets?|wp-config)(\b|$)/,
  },
  {
    bit: Signal.sensitiveFile,
    pattern:
      /\/(wp-config\.(php\.|php~|txt|bak|old|inc|zip)|id_(rsa|dsa|ecdsa|ed25519)\b|(dump|backup|bak|htdocs|public_html)s?([_.-]?\d[\d_.-]{0,24})?\.(sql|zip|rar|7z|bak|old|tgz|tar|gz|bz2)\b|[\w.-]{0,64}\.(sql|sql\.gz|sql\.zip|sqlite3?|mdb|kdbx|pfx|p12|jks|ppk|swp)$|[\w.-]{0,64}\.(php|asp|aspx|jsp|config|ini|conf|inc)(\.(bak|old|save|orig|swp|txt|copy|dist|tmp|\d)|~)$|(server|private|privkey|ssl|cert)\.(key|pem)$|web\.config$|credentials\.json$|secrets?\.(json|ya?ml|env)$|docker-compose\.ya?ml$|composer\.lock$|phpinfo\.php|info\.php$|server-status$|server-info$|proc\/self\/(environ|cmdline))/,
  },
];

/** On the path: what a backup of a site may be called, and what a site may well offer. */
const archives =
  /\/(dump|backup|bak|db|database|mysql|sql|site|www|latest|data|web|old|new|home|full|archive)[\w.-]{0,32}\.(sql|zip|rar|7z|bak|old|tar|gz|bz2)$/;

/** On the path: places of known software. Ordinary where it runs, a probe where it does not. */
const panels =
  /^\/+([\w.-]+\/)?(php-?my-?admin|pma|myadmin|mysql-?admin|sqladmin|dbadmin|pgadmin|phppgadmin|adminer|db\/index\.php|sql\/index\.php|administrator|webadmin|siteadmin|sysadmin|admin(\.php|\.asp|\.aspx|\.jsp|\.cgi|\.html|\/login|\/config|\/index\.php|\/phpmyadmin|\/db|\/web|\/controller)?\/?$|admincp|adm\/|wp-admin|wp-login\.php|wp-includes|wp-content\/(plugins|themes)|xmlrpc\.php|wordpress|wp\d?\/|blog\/wp-|user\/login|joomla|typo3|drupal|cpanel|whm|plesk|manager\/(html|text|status)|host-manager|jmx-console|web-console|invoker|axis2|jenkins|hudson|script$|actuator|solr|\+cscoe\+|\+cscot\+|cgi-bin|cgi-sys|fcgi-bin|scripts\/|boaform|goform|hnap1|sap\/|nwa\b|irj\/|owa\b|ecp\b|autodiscover|ews\/|remote\/(login|fgt)|dana-na|global-protect|vpn\/|portal\/redlion|_cat\/|_search$|_cluster|_all_dbs|_config|_utils|v2\/_catalog|\.git|telescope|horizon\/api|_profiler|_ignition|debug\/default|console\/?$|druid|nacos|geoserver|zabbix|nagios|grafana|kibana|consul|minio|struts2?-|phpunit|vendor\/|laravel|api\/jsonws|telerik|sitecore|umbraco|core\/skin\/login\.aspx|setup\.(php|cgi)|install(\.php|\/index\.php)|config\.(php|json|inc|bak)$|test\.php$|shell\.php|cmd\.php|c99\.php|r57\.php|wso\.php|alfa\.php|mini\.php|up(load)?\.php$|xleet|wp-22|fckeditor|ckeditor|kcfinder|elfinder|filemanager|uploadify)/;

/** Paths with no other use than an attack that is on record; the numbers are those of the records. */
const exploits =
  /phpunit\/.{0,200}eval-stdin\.php|htmlawedtest\.php|w00tw00t|\/telerik\.web\.ui\.(webresource|dialoghandler)|\/(server-info|setup\/(setup(administrator|dbchoice|license)|finishsetup)|json\/setup-restore(-local|-progress)?|setup-restore)\.action|\/api\/v2\/cmdb\/|createremoteappwebsession|\/unauth\/|ztp_gate\.php|\/pan_help\/|fgt_lang|\/tmui\/login\.jsp|\/mgmt\/(tm\/util\/bash|shared\/authn)|\/_ignition\/execute-solution|\/hnap1\b|\/gponform\/|\/boaform\/|\/goform\/|\/setup\.cgi|\/ui\/vcav-bootstrap\/|\/ui\/h5-vsan\/|\/analytics\/telemetry\/|\/catalog-portal\/ui\/oauth|\/owncloud\/.{0,200}getphpinfo|graphapi\/vendor|getphpinfo\.php|\/invoker\/(jmx|ejb)invokerservlet|\/manager\/text\/deploy|\/wp-content\/plugins\/(wp-file-manager|wpdiscuz|revslider|duplicator)\/.{0,200}\.php|\/cgi-bin\/(\.|luci\/;|authlogin|jarrewrite|test-cgi|php)|\/owa\/auth\/(?!(?:logon|logoff|signout|error|errorfe|redir|expiredpassword|timeout)\.aspx)[\w-]+\.(js|aspx)\?|\/autodiscover\/autodiscover\.json\?@|\/aspnet_client\/.{0,200}\.aspx|invokefunction|\/druid\/indexer\/|\/wls-wsat\/|\/_async\/asyncresponse|\/console\/css\/|\/solr\/.{0,200}\/(config|dataimport|debug\/dump)|\/public\/plugins\/[\w-]+\/\.\.|\/vpns?\/portal\/|\/vpn\/\.\.|\/sdk\b.{0,200}hikvision|\/dns-query\?.{0,200}cmd|\/shell\?cd|\/login\.cgi\?cli=/;

/**
 * Pages of software that shows what is in repositories: owner, repository, the word, then any file there is. On others
 * such a path is as missing as any.
 */
const repositories =
  /^\/[^/]{1,100}\/(?:[^?]{1,200}\/)?(?:blob|tree|raw|blame|commits?|browse|plain|src\/(?:branch|commit|tag))\//;

/** One step up in plain letters: clients that resolve a relative link badly send it, and it leads nowhere. */
const stepUp = /(^|[/\\])\.\.([/\\]|$|\?)/;
const disguised = /%2e|%2f|%5c|\\/;

/** On the decoded target. */
const traversal =
  /(^|[/\\])\.\.;[/\\]|(^|[/\\])\.\.[/\\]+([^/\\?]{1,64}[/\\]+)?\.\.([/\\]|$|\?)|(=|%)\.\.[/\\]+(\.\.[/\\]|etc\b|windows\b|proc\b|boot\b)|\/etc\/(passwd|shadow|groups?|hosts|issue|hostname|fstab)\b|\b(win|boot|system)\.ini\b|\bfile:\/\/\/|\/proc\/self\/|\bc:[/\\]+(windows|boot|winnt|inetpub)/;

const sqlShapes =
  /(^|[=?&)'"/*-]|\d)\s*union[\s/*(]+(all[\s/*(]+|distinct[\s/*(]+)?select\b|union[\s/*]+(all[\s/*]+)?select[\s/*]+(null|\d|concat|char|@@|\(|\*|group_concat|version)|information_schema|\b(pg_sleep|benchmark|load_file|extractvalue|updatexml|xp_cmdshell|utl_http|dbms_pipe|waitfor\s+delay|randomblob|group_concat)\b\s*[('\s]|(['")]|\d)\s*(\|\||or|and|&&)\s*\(?\s*['"(]?\s*(\d+|'[^']*'|"[^"]*"|[a-z]+)\s*['")]*\s*(=|like|<|>)\s*['"(]?\s*(\d|'|"|[a-z]+['"])|['")];?\s*(--|#|\/\*)|;\s*(drop|alter|truncate|insert|delete|update|exec|declare|shutdown)\s+(table|database|into|from|\w+\s+set|@|xp_|user)|\bselect\s+[^&]{0,64}[*,(@'][^&]{0,64}\sfrom\s|\border\s+by\s+\d{1,3}\s*(--|#)|\/\*!\d{5}|,\s*null\s*,\s*null|\bcase\s+when\s.{1,200}\bthen\b|\b(and|or)\s+(sleep|ascii|substr(ing)?|length|exists)\s*\(|\bhaving\s+\d+\s*=\s*\d+|\bselectchar\s*\(/;

/** Whole statements as database tools and dashboards send them; an injection breaks out of a value instead. */
const statements = /[?&](?:q|query|sql|sql_query|soql|statement|stmt)=\s*(?:select|show|explain|describe|with)\s[^&]*/g;

/** SQL functions that code samples also name: only as the start of a value, and not of a search box. */
const sqlFunctions =
  /[?&](?!q=|query=|s=|search=|term=|keywords?=|text=)[\w.[\]-]{1,40}=['"|+,;)\s-]*(substr(ing)?|chr|char|distinct|upper|lower|hex|unhex|md5|sha1|ascii|concat(_ws)?|sleep|version|database|current_user|cast|convert)\s*\(/;

const script =
  /<\s*\/?\s*script\b|<\s*(img|svg|iframe|body|video|audio|object|embed|details|math|input|marquee|a)\b[^>]{0,200}(\bon[a-z]{3,20}\s*=|javascript:|srcdoc\s*=)|(['"]\s*)\bon(error|load|mouseover|focus|click)\s*=|=\s*javascript:|\bdocument\.(cookie|domain|write)\b|\balert\s*\(\s*(\d|'|"|document|`)|<\s*iframe\b/;

const code =
  /\$\{jndi:|\$\{[^}]{0,80}[(:#@]|\{\{[^}]{0,80}[*(]|<%=?|#\{[^}]{0,80}[(*]|%\{[^}]{0,80}\(|\$\([a-z/]|\$\{ifs\}|php:\/\/(input|filter)|data:text\/plain;base64|expect:\/\/|\bphar:\/\/|auto_prepend_file|allow_url_include|\bcall_user_func|\bbase64_decode\s*\(|\b(eval|system|passthru|shell_exec|popen|proc_open|assert|phpinfo)\s*\(|=phpinfo\b|[;|&`]\s*(cat|ls|id|wget|curl|nc|bash|sh|ping|whoami|uname|nslookup|powershell|chmod|echo|rm|cd)(\s|$|;|\$)|\/bin\/(ba|da|z|k)?sh\b|cmd\.exe|powershell(\.exe)?\s+-|java\.lang\.(runtime|processbuilder|string)|freemarker\.template|@ognl|class\.module\.classloader|getruntime\(\)|__import__|\bwget\s+https?:|\(\)\s*\{|<\?php|o:\d+:"/;

const userListing = /[?&]author=\d+\b|\/wp-json\/wp\/v2\/users(?!\/me\b)|rest_route=\/+wp\/v2\/users(?!\/me\b)/;

/** Fake request lines that servers log as they came: TLS hellos, other protocols, binary noise as \x escapes. */
const escapedBytes = /\\x[0-9a-f]{2}/i;

/** Reads the content signals of a request target ("/path?query", already without scheme and host). */
export function readSignals(method: string, target: string): ContentSignals {
  let always = 0;
  let whenRefused = 0;
  const cut = target.length > maxTargetLength ? target.slice(0, maxTargetLength) : target;
  if (cut !== target || isMalformed(method, cut)) always |= Signal.malformedRequest;
  const text = decodeTwice(cut.toLowerCase());
  const shape = shapeOf(text);
  const query = text.indexOf('?');
  const path = query < 0 ? text : text.slice(0, query);
  if (shape & Shape.dot) {
    for (const rule of fileRules) {
      if (!rule.pattern.test(path)) continue;
      if (repositories.test(path)) whenRefused |= rule.bit;
      else always |= rule.bit;
    }
    if (archives.test(path)) whenRefused |= Signal.sensitiveFile;
    if (shape & (Shape.dots | Shape.colon | Shape.etc)) {
      if (traversal.test(text) || (shape & Shape.dots && stepUp.test(text) && disguised.test(cut.toLowerCase())))
        always |= Signal.pathTraversal;
    }
  } else if (shape & (Shape.etc | Shape.colon) && traversal.test(text)) always |= Signal.pathTraversal;
  if (shape & Shape.etc && /\/(proc\/self|server-(status|info)$|id_rsa)/.test(path)) always |= Signal.sensitiveFile;
  if (shape & (Shape.special | Shape.space) || text.includes('information_schema')) {
    const rest = query < 0 ? text : text.replace(statements, '');
    if (sqlShapes.test(rest) || sqlFunctions.test(rest)) always |= Signal.sqlInjection;
  }
  if (shape & Shape.special || shape & Shape.colon) {
    if (script.test(text)) always |= Signal.scriptInjection;
    if (code.test(text)) always |= Signal.codeInjection;
  } else if (text.includes('phpinfo') || text.includes('auto_prepend') || text.includes('call_user_func')) {
    if (code.test(text)) always |= Signal.codeInjection;
  }
  if (query >= 0 || shape & Shape.etc) if (userListing.test(text)) always |= Signal.userEnumeration;
  if (exploits.test(text)) always |= Signal.exploitPath;
  if (panels.test(path)) whenRefused |= Signal.adminProbe;
  return { always, whenRefused };
}

const Shape = { dot: 1, dots: 2, special: 4, space: 8, colon: 16, etc: 32 } as const;

/** Which tables can match at all. */
function shapeOf(text: string): number {
  let shape = 0;
  let before = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 46) shape |= before === 46 ? Shape.dot | Shape.dots : Shape.dot;
    else if (c === 58) shape |= Shape.colon;
    else if (c <= 32) shape |= Shape.space;
    else if (
      c === 34 || // "
      c === 36 || // $
      c === 39 || // '
      c === 40 || // (
      c === 59 || // ;
      c === 60 || // <
      c === 92 || // \
      c === 96 || // `
      c === 123 || // {
      c === 124 || // |
      c === 42 // *
    )
      shape |= Shape.special;
    else if (c === 44) shape |= Shape.space;
    // "/e", "/p", "/s", "/w", "/i": the start of every literal path the word tables name.
    else if (before === 47 && (c === 101 || c === 112 || c === 115 || c === 119 || c === 105)) shape |= Shape.etc;
    before = c;
  }
  return shape;
}

function isMalformed(method: string, target: string): boolean {
  for (let i = 0; i < target.length; i++) {
    const c = target.charCodeAt(i);
    if (c < 32 || c === 127 || c === 0xfffd) return true;
  }
  for (let i = 0; i < method.length; i++) {
    const c = method.charCodeAt(i);
    if (!((c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 45 || c === 95)) return true;
  }
  if (escapedBytes.test(target)) return true;
  if (target === '') return method === '';
  const first = target.charCodeAt(0);
  return first !== 47 && target !== '*' && method !== 'CONNECT';
}

/** Percent-decodes up to twice without ever throwing; "+" is a space in the query. */
function decodeTwice(text: string): string {
  let out = text;
  const query = out.indexOf('?');
  if (query >= 0 && out.indexOf('+', query) >= 0) {
    out = out.slice(0, query) + out.slice(query).replaceAll('+', ' ');
  }
  for (let i = 0; i < 2 && out.includes('%'); i++) {
    const next = decodePercent(out);
    if (next === out) break;
    out = next;
  }
  return out === text ? text : out.toLowerCase();
}

/** Bytes outside ASCII become one character each: enough for tables of ASCII shapes. */
function decodePercent(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
