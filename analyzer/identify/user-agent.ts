/** What a user agent says about itself. It is a claim, never a proof: both answers only colour other evidence. */

/** Scanners and attack tools that ship with a name of their own. Ordinary HTTP clients (curl, python) are not here. */
const tools =
  /sqlmap|nikto|nmap|masscan|zgrab|zmap|nuclei|projectdiscovery|wpscan|dirbuster|gobuster|dirsearch|feroxbuster|fuzz faster|\bffuf\b|wfuzz|acunetix|netsparker|invicti|nessus|openvas|w3af|havij|jorgee|arachni|skipfish|whatweb|zmeu|morfeus|muieblackcat|commix|\bhydra\b|l9explore|l9tcpid|l9scan|leakix|jaeles|burpcollaborator|burpsuite|paros\/|owasp zap|\bzap\/|brutus|cgichk|webshag|grendel-scan|vega\/|httprint|metasploit|blackwidow|grabber\/|xsser|xspider|sqlninja|absinthe|pangolin\/|bsqlbf|webinspect|appscan|expanse, a palo alto|censysinspect|internet-measurement|report runner|hello, ?world|mozilla\/5\.0 jorgee|\bkscan\b|\bgoby\b|\bxray\/|dirb\/|wpscan|joomscan|droopescan|cmsmap|python-masscan|webdav-miniredir-scan/;

/** Shapes by which crawlers, feed readers, link checkers and monitors name themselves. */
const bots =
  /(?<!cu)bot(\b|[/_;-])|crawler|spider|slurp|\+https?:\/\/|feed(ly|bin|fetcher|reader|parser|burner|validator|wrangler|press|demon)|\brss\b|newsblur|netnewswire|inoreader|theoldreader|miniflux|freshrss|tiny tiny rss|liferea|akregator|pingdom|uptime|statuscake|site24x7|monitor|nagios|check_http|icinga|zabbix|prometheus|blackbox|datadog|newrelic|gomez|catchpoint|kube-probe|elb-healthchecker|googlehc|health-?check|haproxy|facebookexternalhit|whatsapp|telegrambot|twitterbot|embedly|ia_archiver|archive\.org|heritrix|mediapartners|adsbot|apis-google|google-read-aloud|google-inspectiontool|googleother|lighthouse|chrome-lighthouse|pagespeed|gtmetrix|w3c_validator|w3c-checklink|wordpress\/\d|jetpack|letsencrypt|let's encrypt|validation server|blogtrottr|podcast|apple-pubsub|bingpreview|yandex(images|metrika|direct)|duckduckgo|qwantify|seznam|baiduspider|sogou|petalbot|mastodon\/|pleroma|misskey|akkoma|matrix-synapse|matrix-media|slack-imgproxy|slackbot|discordbot|linkchecker|ahrefs|semrush|dotbot|mj12|screaming frog/;

/** Package managers, version control, builds, backups, sync clients and players: they fetch in bulk because that is their work. */
const bulkClients =
  /^(?:applecoremedia|exoplayer|androidxmedia3|vlc\/|libvlc|lavf\/|lavc|gstreamer|libmpv|mpv\/|kodi\/|roku\/|nsplayer|winamp|mpd\/|foobar2000|stagefright|airmusic|itunes\/|overcast\/|antennapod|gpodder|pocket ?casts|castbox|castget|castro|gitlab-runner|actions-runner|buildkite|drone|renovate|dependabot|argocd|source-controller|artifactory|sonatype|nexus\/|verdaccio|athens|pacman\/|apk-tools|opkg|portage|freebsd-update|pkg\/|homebrew|conda\/|mamba\/|micromamba|winget|chocolatey|windows-update-agent|microsoft-delivery-optimization|clamav|freshclam|borg|kopia|duplicacy|veeam|azcopy|gsutil|rsync|kio\/|kioworker|microsoft office|ms-office|debian apt|apt-|git\/|jgit\/|libdnf|dnf\/|yum|urlgrabber|zypp|npm\/|pnpm\/|yarn\/|bun\/|pip\/|uv\/|poetry\/|composer\/|bundler\/|rubygems|ruby, rubygems|cargo |cargo\/|go-get|nuget|apache-maven|gradle|sbt\/|coursier|docker\/|containerd\/|skopeo|buildah|podman|cri-o|helm\/|terraform\/|restic|rclone|duplicati|davfs2?\/|cadaver|microsoft-webdav|gvfs\/|dav\/|davx5|davdroid|caldav|carddav|ios\/.* dataaccessd|macos\/.* (?:accountsd|dataaccessd|calendaragent)|mac\+os\+x\/|evolution\/|thunderbird\/)|mirall\/|nextcloud-|owncloud|webdavfs\/|syncthing/;

/** HTTP libraries, scripts and load tools under their own names: programs, and they do not hide that they are. */
const libraries =
  /^(?:python(?:-requests|-urllib|-httpx|\/)|aiohttp|httpx|axios|node(?:-fetch|\/|$)|undici|got(?:\/| )|superagent|go-http-client|java(?:\/|-http-client)|okhttp|apache-httpclient|apache httpclient|jakarta commons|commons-httpclient|reactor-?netty|akka-http|guzzlehttp|php(?:\/|$)|symfony httpclient|faraday|ruby|rest-client|http\.rb|typhoeus|libwww-perl|lwp|curl\/|libcurl|wget\/|powershell|postmanruntime|insomnia|dart\/|reqwest|hyper\/|ureq|cpp-httplib|restsharp|boto3|botocore|aws-sdk|aws-cli|minio|k6\/|apachebench|jmeter|gatling|locust|vegeta|hey\/|grpc-)/;

export interface UserAgentFacts {
  lo: number;
  hi: number;
  /** Says it is a crawler, feed reader, monitor or a program that fetches in bulk. */
  declaredBot: boolean;
  /** Says it is an HTTP library or a script, and nothing more. */
  library: boolean;
  /** Names a known attack tool. */
  knownTool: boolean;
  /** Carries an expression that a logging library or shell would run. */
  hostile: boolean;
  /** Generations of the escrow that hold the text, and the device that is no more than this user agent. */
  held: number;
  deviceHeld: number;
}

export function readUserAgent(userAgent: string, lo: number, hi: number): UserAgentFacts {
  const text = (userAgent.length > 512 ? userAgent.slice(0, 512) : userAgent).toLowerCase();
  return {
    lo,
    hi,
    declaredBot: bots.test(text) || bulkClients.test(text),
    library: libraries.test(text),
    knownTool: tools.test(text),
    hostile: text.includes('${jndi:') || text.includes('() {') || text.includes('<?php') || text.includes('${${'),
    held: -1,
    deviceHeld: -1,
  };
}
